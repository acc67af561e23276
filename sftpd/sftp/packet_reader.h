#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "storage/payload.h"

namespace sftpd::sftp {

/// A packet that does not hold what its type promises. The text is for the log.
class MalformedPacket : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Takes a packet apart, from the front. Believes no length: whatever would reach past the end
/// throws MalformedPacket. Integers are big-endian, strings carry a 32-bit length (the draft,
/// section 3).
class PacketReader {
 public:
  /// Keeps `packet` alive through its owner.
  explicit PacketReader(storage::Payload packet) : packet_(std::move(packet)) {}

  std::uint8_t read_u8();
  std::uint32_t read_u32();
  std::uint64_t read_u64();
  /// A copy. The packet bounds its length.
  std::string read_string();
  /// The same as a view into the packet.
  std::string_view read_view();
  /// The same as bytes that keep the packet's buffer alive.
  storage::Payload read_payload();

  std::size_t remaining() const { return packet_.size() - offset_; }
  /// Throws unless everything was read.
  void expect_end() const;
  /// Passes over what is left.
  void skip_rest() { offset_ = packet_.size(); }

 private:
  std::span<const std::byte> take(std::size_t length);

  storage::Payload packet_;
  std::size_t offset_ = 0;
};

}  // namespace sftpd::sftp
