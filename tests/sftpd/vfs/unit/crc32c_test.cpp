#include "sftpd/vfs/content/crc32c.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sftpd::vfs {
namespace {

using Bytes = std::vector<std::byte>;

Bytes counting(std::size_t size, std::size_t factor) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * factor);
  return bytes;
}

// RFC 3720, appendix B.4.
TEST(Crc32c, AgreesWithThePublishedValues) {
  EXPECT_EQ(crc32c(0, Bytes(32, std::byte{0})), 0x8A9136AAU);
  EXPECT_EQ(crc32c(0, Bytes(32, std::byte{0xFF})), 0x62A8AB43U);
  EXPECT_EQ(crc32c(0, counting(32, 1)), 0x46DD794EU);
  const std::string digits = "123456789";
  EXPECT_EQ(crc32c(0, std::as_bytes(std::span(digits))), 0xE3069283U);
}

TEST(Crc32c, TablesAndInstructionAgreeForAnyLengthAndPlace) {
  const Bytes all = counting(300, 37);
  for (std::size_t from = 0; from < 9; ++from) {
    for (std::size_t length = 0; length + from <= all.size(); ++length) {
      const auto piece = std::span(all).subspan(from, length);
      ASSERT_EQ(crc32c(7, piece), crc32c_by_tables(7, piece)) << from << " " << length;
    }
  }
}

// The instruction takes three runs of 1024 bytes side by side.
TEST(Crc32c, TablesAndInstructionAgreeWhereRunsBeginAndEnd) {
  const Bytes all = counting(9400, 37);
  for (std::size_t from = 0; from < 9; ++from) {
    for (const std::size_t runs : {3072U, 6144U, 9216U}) {
      for (std::size_t length = runs - 40; length < runs + 80; ++length) {
        const auto piece = std::span(all).subspan(from, length);
        ASSERT_EQ(crc32c(7, piece), crc32c_by_tables(7, piece)) << from << " " << length;
      }
    }
  }
}

TEST(Crc32c, GoesOnWhereItStopped) {
  const Bytes all = counting(1000, 11);
  const std::uint32_t whole = crc32c(0, all);
  for (const std::size_t cut : {0U, 1U, 7U, 8U, 500U, 1000U}) {
    const std::uint32_t first = crc32c(0, std::span(all).first(cut));
    EXPECT_EQ(crc32c(first, std::span(all).subspan(cut)), whole);
  }
}

TEST(Crc32c, OfBytesBehindEachOtherComesFromBoth) {
  const Bytes all = counting(5000, 41);
  const auto whole = crc32c(0, all);
  for (const std::size_t at : {0U, 1U, 7U, 8U, 1023U, 4096U, 4999U, 5000U}) {
    const auto first = std::span(all).first(at);
    const auto second = std::span(all).subspan(at);
    EXPECT_EQ(crc32c_joined(crc32c(0, first), crc32c(0, second), second.size()), whole) << at;
  }
}

}  // namespace
}  // namespace sftpd::vfs
