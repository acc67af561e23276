#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sftpd::vfs {

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of bytes that follow those `crc` was computed of; 0
/// to begin. Uses the processor's instruction where it has one: a twentieth of SHA-256's cost.
std::uint32_t crc32c(std::uint32_t crc, std::span<const std::byte> bytes);

/// That of some bytes and `length` more behind them, from those of both: crc32c(0, ...) each.
std::uint32_t crc32c_joined(std::uint32_t first, std::uint32_t second, std::uint64_t length);

/// The first without that instruction; for processors that lack it, and the test.
std::uint32_t crc32c_by_tables(std::uint32_t crc, std::span<const std::byte> bytes);

}  // namespace sftpd::vfs
