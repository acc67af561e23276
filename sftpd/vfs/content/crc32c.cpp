#include "sftpd/vfs/content/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace sftpd::vfs {

namespace {

constexpr std::uint32_t polynomial = 0x82F63B78;  // 0x1EDC6F41, its bits reversed
constexpr std::size_t slices = 8;

using Tables = std::array<std::array<std::uint32_t, 256>, slices>;

/// tables[k][b]: what byte b adds to the remainder when k more bytes follow it.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? polynomial : 0);
    tables[0][byte] = rest;
  }
  for (std::size_t slice = 1; slice < slices; ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr Tables tables = make_tables();

/// Of two polynomials, modulo that of the checksum. As in a remainder, the highest bit is that
/// of 1.
std::uint32_t product(std::uint32_t a, std::uint32_t b) {
  std::uint32_t sum = 0;
  for (; a != 0; a <<= 1) {
    if ((a >> 31) != 0) sum ^= b;
    b = (b >> 1) ^ ((b & 1) != 0 ? polynomial : 0);  // times x
  }
  return sum;
}

std::uint64_t little_endian_u64(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return std::endian::native == std::endian::little ? value : __builtin_bswap64(value);
}

#if defined(__x86_64__)
// The instruction's answer comes after three cycles, but another one can begin in each of them: so
// three runs of bytes are computed side by side and joined.
constexpr std::size_t run_size = 1024;

using JoinTables = std::array<std::array<std::uint32_t, 256>, 4>;

/// [k][b]: what byte b at place k of a remainder becomes when run_size zeros follow.
constexpr JoinTables make_join_tables() {
  JoinTables join{};
  for (std::size_t place = 0; place < join.size(); ++place) {
    for (std::size_t bit = 1; bit < 256; bit *= 2) {
      auto rest = static_cast<std::uint32_t>(bit << (8 * place));
      for (std::size_t i = 0; i < run_size; ++i) rest = (rest >> 8) ^ tables[0][rest & 0xFF];
      for (std::size_t lower = 0; lower < bit; ++lower) {
        join[place][bit + lower] = rest ^ join[place][lower];
      }
    }
  }
  return join;
}

constexpr JoinTables join_tables = make_join_tables();

/// The remainder of two runs, from that of the first, and that of the second computed from 0.
std::uint64_t joined(std::uint64_t first, std::uint64_t second) {
  return join_tables[0][first & 0xFF] ^ join_tables[1][(first >> 8) & 0xFF] ^
         join_tables[2][(first >> 16) & 0xFF] ^ join_tables[3][(first >> 24) & 0xFF] ^ second;
}

__attribute__((target("sse4.2"))) std::uint64_t add_word(std::uint64_t rest,
                                                         const std::byte* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return _mm_crc32_u64(rest, word);
}

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t crc,
                                                               std::span<const std::byte> bytes) {
  std::uint64_t rest = ~crc;
  for (; bytes.size() >= 3 * run_size; bytes = bytes.subspan(3 * run_size)) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t at = 0; at < run_size; at += sizeof rest) {
      const std::byte* word = bytes.data() + at;
      rest = add_word(rest, word);
      second = add_word(second, word + run_size);
      third = add_word(third, word + 2 * run_size);
    }
    rest = joined(joined(rest, second), third);
  }
  for (; bytes.size() >= sizeof rest; bytes = bytes.subspan(sizeof rest)) {
    rest = add_word(rest, bytes.data());
  }
  auto narrow = static_cast<std::uint32_t>(rest);
  for (const std::byte byte : bytes) {
    narrow = _mm_crc32_u8(narrow, std::to_integer<unsigned char>(byte));
  }
  return ~narrow;
}
#endif

}  // namespace

std::uint32_t crc32c_joined(std::uint32_t first, std::uint32_t second, std::uint64_t length) {
  // What more bytes do to a remainder is linear: each multiplies it by x^8, by squares 2^k at once.
  for (std::uint32_t power = 0x0080'0000; length != 0; length >>= 1) {
    if ((length & 1) != 0) first = product(first, power);
    power = product(power, power);
  }
  return first ^ second;
}

std::uint32_t crc32c_by_tables(std::uint32_t crc, std::span<const std::byte> bytes) {
  std::uint32_t rest = ~crc;
  for (; bytes.size() >= slices; bytes = bytes.subspan(slices)) {
    const std::uint64_t mixed = little_endian_u64(bytes) ^ rest;
    const auto part = [mixed](int shift, std::size_t slice) {
      return tables[slice][(mixed >> shift) & 0xFF];
    };
    rest = part(0, 7) ^ part(8, 6) ^ part(16, 5) ^ part(24, 4) ^ part(32, 3) ^ part(40, 2) ^
           part(48, 1) ^ part(56, 0);
  }
  for (const std::byte byte : bytes) {
    rest = (rest >> 8) ^ tables[0][(rest ^ std::to_integer<std::uint32_t>(byte)) & 0xFF];
  }
  return ~rest;
}

std::uint32_t crc32c(std::uint32_t crc, std::span<const std::byte> bytes) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return by_instruction(crc, bytes);
#endif
  return crc32c_by_tables(crc, bytes);
}

}  // namespace sftpd::vfs
