#include "sftpd/sftp/packet_writer.h"

namespace sftpd::sftp {
namespace {

constexpr std::size_t length_field_bytes = 4;

char byte_of(std::uint64_t value, int index) {
  return static_cast<char>(static_cast<std::uint8_t>(value >> (8 * index)));
}

}  // namespace

PacketWriter::PacketWriter(PacketType type) {
  write_u32(0);
  write_u8(type);
}

void PacketWriter::write_u8(std::uint8_t value) { bytes_ += static_cast<char>(value); }

void PacketWriter::write_u32(std::uint32_t value) {
  for (int index = 3; index >= 0; --index) bytes_ += byte_of(value, index);
}

void PacketWriter::write_u64(std::uint64_t value) {
  for (int index = 7; index >= 0; --index) bytes_ += byte_of(value, index);
}

void PacketWriter::write_string(std::string_view text) {
  write_u32(static_cast<std::uint32_t>(text.size()));
  bytes_ += text;
}

std::span<const std::byte> PacketWriter::finish(std::size_t following) {
  const std::size_t length = bytes_.size() - length_field_bytes + following;
  for (int index = 3; index >= 0; --index) {
    bytes_[static_cast<std::size_t>(3 - index)] = byte_of(length, index);
  }
  return std::as_bytes(std::span(bytes_));
}

}  // namespace sftpd::sftp
