#pragma once

#include <random>
#include <string>

namespace sftpd::vfs {

/// Bytes that differ everywhere, and from those of other seeds.
inline std::string noise(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random() & 0xFF);
  return bytes;
}

}  // namespace sftpd::vfs
