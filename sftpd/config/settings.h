#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sftpd/config/error.h"

namespace sftpd::config {

/// Where the rows live: one of `url` and `embedded`.
struct DatabaseSettings {
  std::string url;  ///< libpq URL; may carry a password: never logged
  std::string
      password_file;     ///< its content is the password; empty: the URL's, or libpq's own ways
  std::string embedded;  ///< directory of a private cluster that Shoebox starts itself
  std::optional<int> connections_max;
};

/// Where the bytes live.
struct StorageSettings {
  enum class Backend { s3, local };
  Backend backend = Backend::s3;

  std::string directory;  ///< of `local`

  std::string endpoint;         ///< of `s3`, and all below
  std::string public_endpoint;  ///< of the URLs that are given away; empty: the same
  std::string region = "us-east-1";
  std::string bucket;
  bool path_style = true;
  std::string access_key_id;  ///< empty: from AWS_ACCESS_KEY_ID
  std::string secret_access_key_file;
  std::string session_token_file;
  enum class PayloadSigning { automatic, always, never };
  std::optional<PayloadSigning> payload_signing;
  std::optional<int> connections_max;
  std::optional<std::chrono::milliseconds> retry_for;
  std::optional<bool> equal_parts;
  std::optional<bool> part_copy;
  std::string ca_file;

  std::string prefix;  ///< of all object keys
};

/// What one process takes on at once.
struct LimitSettings {
  std::optional<int> connections_max;
  std::optional<int> unauthenticated_max;
  std::optional<int> unauthenticated_per_network_max;
  std::optional<int> channels_max;
  std::optional<std::chrono::milliseconds> login_deadline;
  std::optional<std::chrono::milliseconds> idle_timeout;
  std::optional<std::chrono::milliseconds> keepalive_interval;
};

/// How fast clients' bytes may move, in bytes per second; 0: no limit.
struct BandwidthSettings {
  std::optional<std::uint64_t> upload_max;  ///< of all users together, as the next
  std::optional<std::uint64_t> download_max;
  std::optional<std::uint64_t> user_upload_max;  ///< of each user, as the next
  std::optional<std::uint64_t> user_download_max;
  std::optional<std::chrono::milliseconds> burst;
};

/// Numbers for Prometheus.
struct MetricsSettings {
  std::string listen;  ///< ADDRESS:PORT or [IPV6]:PORT; empty: off
};

/// Copies of all metadata in the store.
struct MetadataExportSettings {
  std::optional<std::chrono::seconds> every;  ///< 0: none
  std::optional<int> keep;
};

/// Everything in shoebox.yaml. What is empty takes the default of the part that uses it.
struct Settings {
  std::vector<std::string> listen{"127.0.0.1:2022"};  ///< ADDRESS:PORT or [IPV6]:PORT
  std::vector<std::string> host_keys;
  DatabaseSettings database;
  StorageSettings storage;
  LimitSettings limits;
  BandwidthSettings bandwidth;
  MetricsSettings metrics;
  MetadataExportSettings metadata_export;

  std::optional<std::uint64_t> transfer_memory_max;  ///< bytes, as all sizes here
  std::optional<std::uint64_t> read_cache_max;
  std::optional<std::string> read_cache_directory;
  std::optional<std::uint64_t> read_cache_disk_max;
  std::optional<bool> verify_reads;
  std::optional<std::uint64_t> part_size;
  std::optional<std::uint64_t> inline_max;
  std::optional<std::uint64_t> inline_backlog_max;
  std::optional<std::chrono::seconds> destage_after;
  std::optional<std::uint32_t> umask;
  std::optional<std::string> scratch_directory;
  std::optional<bool> keep_interrupted_uploads;
  std::optional<int> extents_max;                           ///< of a file
  std::optional<std::chrono::seconds> flatten_after_quiet;  ///< 0: never
  std::chrono::seconds version_keep{std::chrono::days{7}};  ///< of replaced and removed content
  std::optional<std::chrono::seconds> dead_object_keep;     ///< after the last version is gone
  std::string log_level = "info";
};

/// Reads a file. Paths in it that are relative are relative to the file's directory; they come back
/// absolute. Throws Error: unreadable, not YAML, an unknown or repeated key, a wrong type or value,
/// something that is missing.
Settings load_settings(const std::string& file);

/// The same from text, with paths as they stand there; `name` stands for the file in messages.
Settings parse_settings(const std::string& text, const std::string& name);

/// Every key, as "listen" or "database.url". For the test of the documentation.
std::vector<std::string> setting_names();

}  // namespace sftpd::config
