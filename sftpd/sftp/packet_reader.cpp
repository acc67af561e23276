#include "sftpd/sftp/packet_reader.h"

namespace sftpd::sftp {
namespace {

template <class Integer>
Integer big_endian(std::span<const std::byte> bytes) {
  Integer value = 0;
  for (std::byte byte : bytes) {
    value = static_cast<Integer>((value << 8) | std::to_integer<Integer>(byte));
  }
  return value;
}

}  // namespace

std::span<const std::byte> PacketReader::take(std::size_t length) {
  if (length > remaining()) throw MalformedPacket("the packet is shorter than what it must hold");
  offset_ += length;
  return packet_.bytes().subspan(offset_ - length, length);
}

std::uint8_t PacketReader::read_u8() { return std::to_integer<std::uint8_t>(take(1)[0]); }

std::uint32_t PacketReader::read_u32() { return big_endian<std::uint32_t>(take(4)); }

std::uint64_t PacketReader::read_u64() { return big_endian<std::uint64_t>(take(8)); }

std::string PacketReader::read_string() { return std::string(read_view()); }

std::string_view PacketReader::read_view() {
  const auto bytes = take(read_u32());
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

storage::Payload PacketReader::read_payload() {
  const std::size_t length = take(read_u32()).size();
  return packet_.slice(offset_ - length, length);
}

void PacketReader::expect_end() const {
  if (remaining() != 0) throw MalformedPacket("bytes follow the request");
}

}  // namespace sftpd::sftp
