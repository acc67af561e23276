#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace storage::s3 {

using Sha256Digest = std::array<unsigned char, 32>;

Sha256Digest hmac_sha256(std::span<const unsigned char> key, std::string_view text);
std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);

/// Lower case.
std::string hex(std::span<const unsigned char> bytes);

}  // namespace storage::s3
