#include "sftpd/vfs/writing/part_buffer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace sftpd::vfs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(PartBuffer, IsEmptyAtFirst) {
  const PartBuffer buffer;
  EXPECT_EQ(buffer.capacity(), 0U);
  EXPECT_EQ(buffer.contiguous(), 0U);
  EXPECT_THAT(buffer.behind_gap(), IsEmpty());
}

TEST(PartBuffer, KnowsWhatArrivedBehindAGap) {
  PartBuffer buffer;
  buffer.grow(PartBuffer::capacity_for(1000));
  buffer.write(0, bytes_of("0123"));
  buffer.write(10, bytes_of("abc"));
  EXPECT_EQ(buffer.contiguous(), 4U);
  EXPECT_THAT(buffer.behind_gap(), ElementsAre(Pair(10U, 3U)));
  EXPECT_TRUE(buffer.has(10, 3));
  EXPECT_FALSE(buffer.has(3, 2));
  buffer.write(4, bytes_of("456789"));
  EXPECT_EQ(buffer.contiguous(), 13U);
  EXPECT_THAT(buffer.behind_gap(), IsEmpty());
  EXPECT_EQ(text_of(buffer.bytes(0, 13)), "0123456789abc");
}

TEST(PartBuffer, KeepsItsBytesWhenItGrowsAndMoves) {
  PartBuffer buffer;
  buffer.grow(PartBuffer::capacity_for(10));
  buffer.write(0, bytes_of("content"));
  buffer.grow(PartBuffer::capacity_for(5'000'000));
  EXPECT_GE(buffer.capacity(), 5'000'000U);
  PartBuffer moved = std::move(buffer);
  EXPECT_EQ(text_of(moved.bytes(0, 7)), "content");
  EXPECT_EQ(moved.contiguous(), 7U);
}

TEST(PartBuffer, CapacityHoldsTheSizeAndNotMuchMore) {
  for (const std::size_t size : {1U, 65'536U, 65'537U, 262'145U, 1'048'577U, 16'777'216U}) {
    const std::size_t capacity = PartBuffer::capacity_for(size);
    EXPECT_GE(capacity, size);
    EXPECT_LE(capacity, std::max<std::size_t>(4 * size, size + 2'097'152));
  }
  EXPECT_EQ(PartBuffer::capacity_for(16'777'216), 16'777'216U);
}

TEST(PartBuffer, RandomWritesMatchAnArrayOfBytes) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    PartBuffer buffer;
    buffer.grow(PartBuffer::capacity_for(300));
    std::string expected(300, '\0');
    std::vector<bool> there(301, false);
    for (int i = 0; i < 12; ++i) {
      const std::size_t offset = random() % 300;
      const std::string piece(random() % std::min<std::size_t>(60, 300 - offset),
                              static_cast<char>('a' + i));
      buffer.write(offset, bytes_of(piece));
      expected.replace(offset, piece.size(), piece);
      std::fill_n(there.begin() + static_cast<std::ptrdiff_t>(offset), piece.size(), true);
    }
    const auto gap = std::find(there.begin(), there.end(), false) - there.begin();
    ASSERT_EQ(buffer.contiguous(), static_cast<std::size_t>(gap));
    std::vector<bool> found(301, false);
    std::fill_n(found.begin(), gap, true);
    for (const auto& [begin, length] : buffer.behind_gap()) {
      ASSERT_TRUE(buffer.has(begin, length));
      std::fill_n(found.begin() + static_cast<std::ptrdiff_t>(begin), length, true);
      ASSERT_EQ(text_of(buffer.bytes(begin, length)), expected.substr(begin, length));
    }
    ASSERT_EQ(found, there);
  }
}

}  // namespace
}  // namespace sftpd::vfs
