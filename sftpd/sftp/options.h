#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

namespace sftpd::sftp {

class RequestCounts;

/// How much one SFTP session may ask for. The defaults are those of OpenSSH's server where it has
/// them, because clients were tuned against it.
struct Options {
  /// What limits@openssh.com tells: the longest packet without its length field. A longer one ends
  /// the session, but for the few bytes by which some clients overshoot.
  std::uint32_t packet_length_max = 256 * 1024;
  std::uint32_t packet_overshoot_max = 1024;
  /// Longest DATA; longer READs are answered short. Not above packet_length_max - 1,024.
  std::uint32_t read_length_max = 255 * 1024;
  std::uint32_t write_length_max = 255 * 1024;
  /// Files and directories open at once in one session.
  std::uint32_t handles_max = 1024;

  /// Requests answered later. No further request is decoded while so many are.
  std::size_t deferred_max = 256;
  /// Bytes asked for by READs that are not answered yet: OpenSSH's client asks for 16.7 MB ahead.
  /// It may always ask for the least; how much more depends on how many read.
  std::uint64_t deferred_read_bytes_max = 16 * 1024 * 1024;
  std::uint64_t deferred_read_bytes_least = 1024 * 1024;
  /// Bytes of WRITEs that are not answered yet, beyond what the file system has buffered. Few: they
  /// wait only while memory is short, and each keeps the block alive in which it was received.
  std::uint64_t deferred_write_bytes_max = 128 * 1024;
  /// Bytes queued to the client above which requests wait.
  std::size_t queued_bytes_max = 512 * 1024;

  /// One step() does so much before other channels of the connection get their turn.
  std::size_t step_requests_max = 64;
  std::size_t step_bytes_max = 4 * 1024 * 1024;

  /// This client sends SYMLINK in the draft's order, link before target: it does so with servers
  /// that it does not take for OpenSSH.
  bool symlink_link_first = false;

  /// Refuse everything that changes something.
  bool read_only = false;

  /// Told of each request; may be null, else outlives the session.
  RequestCounts* counts = nullptr;

  /// Seconds since 1970, for the dates of listings. Empty: the system's clock.
  std::function<std::int64_t()> now;
  /// The number of the first handle. Empty: a random one.
  std::optional<std::uint32_t> first_handle;
};

}  // namespace sftpd::sftp
