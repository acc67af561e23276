#pragma once

#include <cctype>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "sftpd/sftp/packet_type.h"
#include "storage/payload.h"

namespace sftpd::sftp::wire {

// Packets as the draft spells them, without the program's own writer: two equal mistakes would
// agree.

/// "00000003 2f61"_hex: two digits a byte, blanks between as you like.
inline std::string operator""_hex(const char* digits, std::size_t length) {
  std::string bytes;
  std::string pair;
  for (const char digit : std::string_view(digits, length)) {
    if (std::isxdigit(static_cast<unsigned char>(digit))) pair += digit;
    if (pair.size() < 2) continue;
    bytes += static_cast<char>(std::stoi(pair, nullptr, 16));
    pair.clear();
  }
  if (!pair.empty()) throw std::invalid_argument("an odd number of digits");
  return bytes;
}

inline std::string u32(std::uint64_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}
inline std::string u64(std::uint64_t value) { return u32(value >> 32) + u32(value); }
inline std::string text(std::string_view bytes) { return u32(bytes.size()) + std::string(bytes); }

/// A whole packet: its length, its type and the rest.
inline std::string packet(unsigned type, const std::string& rest) {
  return u32(1 + rest.size()) + static_cast<char>(type) + rest;
}
inline std::string init() { return "00000005 01 00000003"_hex; }
inline std::string extended(std::uint32_t id, std::string_view name, const std::string& rest) {
  return packet(SSH_FXP_EXTENDED, u32(id) + text(name) + rest);
}
/// ATTRS without a field.
inline std::string no_attrs() { return "00000000"_hex; }

inline std::uint32_t u32_at(std::string_view bytes, std::size_t offset) {
  std::uint32_t value = 0;
  for (const char byte : bytes.substr(offset, 4)) {
    value = (value << 8) | static_cast<std::uint8_t>(byte);
  }
  return value;
}

/// One packet that the server sent.
struct Reply {
  unsigned type = 0;
  std::uint32_t id = 0;  ///< of VERSION: the version
  std::string rest;      ///< what follows the id

  /// Of a STATUS.
  std::uint32_t code() const { return u32_at(rest, 0); }
  /// The first string in it: a handle, data, or (after the count) a name.
  std::string text_at(std::size_t offset) const {
    return rest.substr(offset + 4, u32_at(rest, offset));
  }
};

/// Takes whole packets apart; throws if bytes are left over.
inline std::vector<Reply> replies_in(std::string_view stream) {
  std::vector<Reply> replies;
  while (!stream.empty()) {
    const std::size_t length = u32_at(stream, 0);
    if (stream.size() < 4 + length || length < 5) throw std::runtime_error("not a whole packet");
    replies.push_back({.type = static_cast<std::uint8_t>(stream[4]),
                       .id = u32_at(stream, 5),
                       .rest = std::string(stream.substr(9, length - 5))});
    stream.remove_prefix(4 + length);
  }
  return replies;
}

inline storage::Payload payload(std::string_view bytes) { return storage::Payload::copy_of(bytes); }

}  // namespace sftpd::sftp::wire
