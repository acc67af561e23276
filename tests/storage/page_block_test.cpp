#include "storage/page_block.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "storage/large_buffer.h"

namespace storage {
namespace {

constexpr std::size_t piece = PageBlock::piece;

/// Fills a block with what only this seed and place have.
void fill(std::byte* begin, std::size_t size, unsigned seed) {
  for (std::size_t at = 0; at < size; at += 512)
    begin[at] = static_cast<std::byte>(seed + at / 512);
}

bool is_filled(const std::byte* begin, std::size_t size, unsigned seed) {
  for (std::size_t at = 0; at < size; at += 512) {
    if (begin[at] != static_cast<std::byte>(seed + at / 512)) return false;
  }
  return true;
}

TEST(PageBlock, GrowsByWholePiecesAndKeepsItsBytes) {
  PageBlock block;
  EXPECT_EQ(block.size(), 0U);
  block.grow(1);
  EXPECT_EQ(block.size(), piece);
  fill(block.data(), block.size(), 1);
  block.grow(3 * piece);
  EXPECT_EQ(block.size(), 3 * piece);
  EXPECT_TRUE(is_filled(block.data(), piece, 1));
  fill(block.data(), block.size(), 2);
  block.grow(40 * piece);  // Beyond the addresses it had: it moves.
  EXPECT_TRUE(is_filled(block.data(), 3 * piece, 2));
  fill(block.data(), block.size(), 3);
  EXPECT_TRUE(is_filled(block.data(), block.size(), 3));
}

TEST(PageBlock, WhatIsFreedServesTheNextAndIsBounded) {
  { PageBlock().grow(1); }
  {
    PageBlock block;
    block.grow(PageBlock::spare_max + 8 * piece);
  }
  EXPECT_EQ(PageBlock::spare(), PageBlock::spare_max);
  PageBlock next;
  next.grow(4 * piece);
  EXPECT_EQ(PageBlock::spare(), PageBlock::spare_max - 4 * piece);
  fill(next.data(), next.size(), 9);
  EXPECT_TRUE(is_filled(next.data(), next.size(), 9));
}

TEST(PageBlock, MovesIntoAnother) {
  PageBlock block;
  block.grow(piece);
  fill(block.data(), piece, 4);
  PageBlock other = std::move(block);
  EXPECT_EQ(block.size(), 0U);  // NOLINT(bugprone-use-after-move): it is empty, and may be used.
  EXPECT_TRUE(is_filled(other.data(), piece, 4));
  block.grow(piece);
  EXPECT_NE(block.data(), other.data());
}

TEST(PageBlock, NoTwoThreadsGetTheSameMemory) {
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      std::minstd_rand random(t);
      std::vector<PageBlock> blocks(4);
      for (unsigned round = 0; round < 100; ++round) {
        const auto i = random() % blocks.size();
        if (random() % 4 == 0) {
          blocks[i] = PageBlock();
          continue;
        }
        const std::size_t before = blocks[i].size();
        EXPECT_TRUE(is_filled(blocks[i].data(), before, t * 4 + unsigned(i)));
        blocks[i].grow((random() % 12 + 1) * piece);
        fill(blocks[i].data(), blocks[i].size(), t * 4 + unsigned(i));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(PageBlock::spare(), PageBlock::spare_max);
}

TEST(LargeBuffer, HoldsWhatWasAppendedAcrossTheStepToLargeMemory) {
  std::minstd_rand random(7);
  LargeBuffer buffer;
  std::vector<std::byte> expected;
  while (expected.size() < 3 * piece) {
    std::vector<std::byte> more(random() % 300'000);
    for (std::size_t i = 0; i < more.size(); i += 97) more[i] = static_cast<std::byte>(random());
    buffer.append(more);
    expected.insert(expected.end(), more.begin(), more.end());
  }
  ASSERT_EQ(buffer.size(), expected.size());
  EXPECT_EQ(std::memcmp(buffer.data(), expected.data(), expected.size()), 0);
  const LargeBuffer copy = buffer;
  const Payload payload = std::move(buffer).to_payload();
  EXPECT_EQ(payload.size(), expected.size());
  EXPECT_EQ(std::memcmp(payload.data(), copy.data(), expected.size()), 0);
}

TEST(LargeBuffer, ShrinksAndGoesOn) {
  LargeBuffer buffer;
  EXPECT_TRUE(buffer.empty());
  buffer.reserve(10);
  std::memset(buffer.extend(5).data(), 1, 5);
  buffer.shrink_to(2);
  std::memset(buffer.extend(1).data(), 2, 1);
  EXPECT_EQ(buffer.size(), 3U);
  EXPECT_EQ(buffer.bytes()[1], std::byte{1});
  EXPECT_EQ(buffer.bytes()[2], std::byte{2});
}

}  // namespace
}  // namespace storage
