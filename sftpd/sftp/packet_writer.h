#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sftpd/sftp/packet_type.h"

namespace sftpd::sftp {

/// Puts integers and strings together as packets hold them: a whole packet, or the body of an
/// extended reply.
class PacketWriter {
 public:
  /// For a body.
  PacketWriter() = default;
  /// For a packet: leaves room for its length field, which finish() fills in.
  explicit PacketWriter(PacketType type);

  void write_u8(std::uint8_t value);
  void write_u32(std::uint32_t value);
  void write_u64(std::uint64_t value);
  void write_string(std::string_view text);
  /// What is encoded already.
  void write_raw(std::string_view bytes) { bytes_ += bytes; }

  /// What was written, without a length field.
  std::string body() && { return std::move(bytes_); }
  /// The packet. `following` bytes belong to it too and are sent after these.
  std::span<const std::byte> finish(std::size_t following = 0);

 private:
  std::string bytes_;
};

}  // namespace sftpd::sftp
