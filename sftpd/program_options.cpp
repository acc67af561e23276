#include "sftpd/program_options.h"

#include <fmt/format.h>

#include <cstdlib>
#include <type_traits>

#include "sftpd/config/secret_file.h"
#include "sftpd/machine_checks.h"
#include "storage/s3/credentials.h"

namespace sftpd {
namespace {

using config::Settings;
using config::StorageSettings;

/// A part's default stays where the settings say nothing.
template <class Option, class Setting>
void take(Option& option, const std::optional<Setting>& setting) {
  if (setting) option = static_cast<Option>(*setting);
}

std::string secret(const std::string& file, ProgramOptions& options) {
  if (file.empty()) return {};
  config::Secret read = config::read_secret_file(file);
  if (!read.warning.empty()) options.warnings.push_back(read.warning);
  return read.text;
}

/// libpq takes "key=value" pairs and URLs; a password goes into either.
std::string with_password(std::string url, const std::string& password) {
  if (password.empty()) return url;
  if (!url.starts_with("postgres://") && !url.starts_with("postgresql://")) {
    std::string quoted;
    for (const char c : password) {
      if (c == '\'' || c == '\\') quoted += '\\';
      quoted += c;
    }
    return fmt::format("{} password='{}'", url, quoted);
  }
  std::string encoded;
  for (const char c : password) encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return fmt::format("{}{}password={}", url, url.find('?') == std::string::npos ? '?' : '&',
                     encoded);
}

storage::s3::Credentials credentials(const StorageSettings& settings, ProgramOptions& options) {
  if (!settings.access_key_id.empty()) {
    return {settings.access_key_id, secret(settings.secret_access_key_file, options),
            secret(settings.session_token_file, options)};
  }
  auto found = storage::s3::credentials_from_environment(
      [](const char* name) -> const char* { return std::getenv(name); });
  if (!found) {
    throw config::Error(
        "the store needs credentials: set storage.access_key_id and "
        "storage.secret_access_key_file, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the "
        "environment");
  }
  return *found;
}

storage::s3::S3ObjectStore::Options s3_options(const StorageSettings& settings,
                                               ProgramOptions& options) {
  using Given = StorageSettings::PayloadSigning;
  using storage::s3::PayloadSigning;
  storage::s3::S3ObjectStore::Options s3;
  s3.endpoint = settings.endpoint;
  s3.public_endpoint = settings.public_endpoint;
  s3.region = settings.region;
  s3.bucket = settings.bucket;
  s3.path_style = settings.path_style;
  s3.credentials = credentials(settings, options);
  s3.ca_file = settings.ca_file;
  take(s3.connections_max, settings.connections_max);
  take(s3.retry.total_max, settings.retry_for);
  take(s3.limits.parts_equal, settings.equal_parts);
  take(s3.limits.part_copy, settings.part_copy);
  if (settings.payload_signing == Given::always) s3.payload_signing = PayloadSigning::always;
  if (settings.payload_signing == Given::never) s3.payload_signing = PayloadSigning::never;
  return s3;
}

void set_backends(const Settings& settings, ProgramOptions& options) {
  auto& backends = options.backends;
  backends.embedded = settings.database.embedded;
  backends.database.url =
      with_password(settings.database.url, secret(settings.database.password_file, options));
  take(backends.database.connections_max, settings.database.connections_max);
  if (settings.storage.backend == StorageSettings::Backend::local) {
    storage::local::LocalObjectStore::Options local;
    local.directory = settings.storage.directory;
    backends.store = local;
  } else {
    backends.store = s3_options(settings.storage, options);
  }
}

void set_files(const Settings& settings, ProgramOptions& options) {
  auto& files = options.files;
  files.key_prefix = settings.storage.prefix;
  take(files.transfer_memory_max, settings.transfer_memory_max);
  take(files.read_cache_max, settings.read_cache_max);
  take(files.read_cache_directory, settings.read_cache_directory);
  take(files.read_cache_disk_max, settings.read_cache_disk_max);
  take(files.verify_reads, settings.verify_reads);
  take(files.part_size, settings.part_size);
  take(files.inline_max, settings.inline_max);
  take(files.inline_backlog_max, settings.inline_backlog_max);
  take(options.jobs.inline_age, settings.destage_after);
  take(files.umask, settings.umask);
  take(files.scratch_directory, settings.scratch_directory);
  using Interrupted = vfs::FileSystem::InterruptedUploads;
  if (settings.keep_interrupted_uploads == false) files.interrupted_uploads = Interrupted::discard;
  take(files.extents_max, settings.extents_max);
  take(options.jobs.flatten_after_quiet, settings.flatten_after_quiet);
  options.jobs.version_keep = settings.version_keep;
  take(options.jobs.collect.keep_dead, settings.dead_object_keep);
}

void set_exports(const Settings& settings, jobs::ExportOptions& exports) {
  exports.key_prefix = settings.storage.prefix;
  exports.program = SHOEBOX_VERSION;
  take(exports.every, settings.metadata_export.every);
  take(exports.keep, settings.metadata_export.keep);
}

void set_server(const Settings& settings, ProgramOptions& options) {
  auto& server = options.server;
  server.listen = settings.listen;
  take(server.connections_max, settings.limits.connections_max);
  take(server.unauthenticated_max, settings.limits.unauthenticated_max);
  take(server.unauthenticated_per_network_max, settings.limits.unauthenticated_per_network_max);
  take(server.channels_max, settings.limits.channels_max);
  take(server.login_deadline, settings.limits.login_deadline);
  take(server.idle_timeout, settings.limits.idle_timeout);
  take(server.keepalive_interval, settings.limits.keepalive_interval);
  for (const std::string& key : settings.host_keys) options.host_keys.emplace_back(key);
}

void set_bandwidth(const config::BandwidthSettings& settings, limits::BandwidthOptions& options) {
  take(options.process.upload, settings.upload_max);
  take(options.process.download, settings.download_max);
  take(options.user.upload, settings.user_upload_max);
  take(options.user.download, settings.user_download_max);
  take(options.burst, settings.burst);
}

}  // namespace

ProgramOptions options_from(const Settings& settings) {
  ProgramOptions options;
  options.log_level = settings.log_level;
  options.metrics_listen = settings.metrics.listen;
  set_backends(settings, options);
  set_files(settings, options);
  set_exports(settings, options.jobs.exports);
  set_server(settings, options);
  set_bandwidth(settings.bandwidth, options.bandwidth);
  return options;
}

admin::Options admin_options(const ProgramOptions& options) {
  admin::Options result;
  result.backends = options.backends;
  // A person waits: a server that is away is said to be away soon.
  result.backends.database.outage_max = std::chrono::seconds{3};
  result.key_prefix = options.files.key_prefix;
  result.files = options.files;
  result.collect = options.jobs.collect;
  result.exports = options.jobs.exports;
  result.warnings = options.warnings;
  result.checks = machine_checks(options);
  return result;
}

}  // namespace sftpd
