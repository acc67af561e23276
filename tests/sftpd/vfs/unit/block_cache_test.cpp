#include "sftpd/vfs/reading/block_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "sftpd/vfs/reading/reader.h"
#include "tests/support/failing_object_store.h"
#include "tests/support/memory_object_store.h"

namespace sftpd::vfs {
namespace {

using test_support::Fault;
using test_support::Operation;

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;

class BlockCacheTest : public ::testing::Test {
 protected:
  BlockCache::Place stored(int number, std::size_t size) {
    std::string content(size, '\0');
    for (std::size_t i = 0; i < size; ++i) content[i] = byte_at(number, i);
    const storage::ObjectKey key{"v1/object-" + std::to_string(number)};
    storage::PutOptions options;
    options.user_metadata["oid"] = std::to_string(number);
    memory.put(key, storage::Payload::copy_of(content), options).get();
    return {metadata::ObjectId{number}, key.text, size};
  }

  static char byte_at(int number, std::size_t offset) {
    return static_cast<char>(static_cast<std::size_t>(number) * 31 + offset * 7 + offset / 251);
  }

  /// Waits for the segments and checks every byte of the range.
  static void check(const std::vector<BlockCache::SegmentPtr>& segments, int number,
                    std::uint64_t from, std::uint64_t to) {
    std::uint64_t at = from;
    for (const auto& segment : segments) {
      storage::Promise<void> ready;
      segment->when_ready([&] { ready.set_value(); });
      ready.future().get();
      ASSERT_LE(segment->offset, at);
      const auto& bytes = segment->bytes();
      ASSERT_EQ(bytes.size(), segment->length);
      for (; at < std::min(to, segment->offset + segment->length); ++at) {
        const auto found = static_cast<char>(bytes.bytes()[at - segment->offset]);
        ASSERT_EQ(found, byte_at(number, at)) << at;
      }
    }
    ASSERT_EQ(at, to);
  }

  int gets() { return store.calls(Operation::get); }

  test_support::MemoryObjectStore memory;
  test_support::FailingObjectStore store{memory};
};

TEST_F(BlockCacheTest, ARandomReadFetchesItsBlockOnly) {
  BlockCache cache(store, 4 * mib);
  const auto place = stored(1, mib);
  const auto segments = cache.get(place, {300 * kib, 10}, 128 * kib);
  ASSERT_EQ(segments.size(), 1U);
  EXPECT_EQ(segments[0]->offset, 256 * kib);
  EXPECT_EQ(segments[0]->length, 128 * kib);
  check(segments, 1, 300 * kib, 300 * kib + 10);
  EXPECT_EQ(gets(), 1);
}

TEST_F(BlockCacheTest, TheLastBlockEndsWithTheObject) {
  BlockCache cache(store, 4 * mib);
  const auto place = stored(1, 300 * kib);
  const auto segments = cache.get(place, {290 * kib, 100 * kib}, 128 * kib);
  ASSERT_EQ(segments.size(), 1U);
  EXPECT_EQ(segments[0]->offset + segments[0]->length, 300 * kib);
  check(segments, 1, 290 * kib, 300 * kib);
}

TEST_F(BlockCacheTest, WhatIsCachedIsNotFetchedAgain) {
  BlockCache cache(store, 4 * mib);
  const auto place = stored(1, mib);
  check(cache.get(place, {0, mib}, 128 * kib), 1, 0, mib);
  EXPECT_EQ(gets(), 8);
  check(cache.get(place, {100, mib - 100}, 128 * kib), 1, 100, mib);
  check(cache.get(place, {0, mib}, 256 * kib), 1, 0, mib);
  EXPECT_EQ(gets(), 8);
  EXPECT_EQ(cache.counts().misses.value(), 8U);
  EXPECT_EQ(cache.counts().memory_hits.value(), 16U);
  EXPECT_EQ(cache.counts().disk_hits.value(), 0U);
  EXPECT_EQ(cache.counts().store_bytes.value(), mib);
}

TEST_F(BlockCacheTest, AGapBetweenCachedSegmentsIsFilledWithoutOverlap) {
  BlockCache cache(store, 4 * mib);
  const auto place = stored(1, mib);
  check(cache.get(place, {0, 10}, 100 * kib), 1, 0, 10);
  check(cache.get(place, {300 * kib, 10}, 100 * kib), 1, 300 * kib, 300 * kib + 10);
  check(cache.get(place, {0, mib}, 256 * kib), 1, 0, mib);
  EXPECT_EQ(cache.used(), mib) << "segments do not overlap";
}

TEST_F(BlockCacheTest, TwoReadersShareASegmentThatIsOnItsWay) {
  BlockCache cache(store, 4 * mib);
  const auto place = stored(1, mib);
  store.add({.operation = Operation::get, .fault = Fault::hold});
  const auto first = cache.get(place, {0, 10}, 128 * kib);
  const auto second = cache.get(place, {50 * kib, 10}, 128 * kib);
  EXPECT_EQ(first[0], second[0]);
  EXPECT_FALSE(first[0]->ready());
  store.release();
  check(first, 1, 0, 10);
  check(second, 1, 50 * kib, 50 * kib + 10);
  EXPECT_EQ(gets(), 1);
}

TEST_F(BlockCacheTest, TheLeastRecentlyUsedGoesFirst) {
  BlockCache cache(store, 3 * 128 * kib);
  const auto place = stored(1, mib);
  for (const std::uint64_t block : {0U, 1U, 2U, 0U, 3U}) {  // 3 takes the place of 1.
    check(cache.get(place, {block * 128 * kib, 1}, 128 * kib), 1, block * 128 * kib,
          block * 128 * kib + 1);
  }
  EXPECT_EQ(gets(), 4);
  check(cache.get(place, {0, 1}, 128 * kib), 1, 0, 1);
  check(cache.get(place, {2 * 128 * kib, 1}, 128 * kib), 1, 2 * 128 * kib, 2 * 128 * kib + 1);
  EXPECT_EQ(gets(), 4);
  check(cache.get(place, {128 * kib, 1}, 128 * kib), 1, 128 * kib, 128 * kib + 1);
  EXPECT_EQ(gets(), 5);
  EXPECT_LE(cache.used(), 3 * 128 * kib);
}

TEST_F(BlockCacheTest, WhatAReaderHoldsOutlivesItsEvictionAndCounts) {
  BlockCache cache(store, 128 * kib);
  const auto place = stored(1, mib);
  const auto held = cache.get(place, {0, 1}, 128 * kib);
  check(cache.get(place, {128 * kib, 1}, 128 * kib), 1, 128 * kib, 128 * kib + 1);
  EXPECT_EQ(cache.used(), 256 * kib);
  check(held, 1, 0, 128 * kib);
}

TEST_F(BlockCacheTest, AFailureIsToldAndTheNextReadAsksAgain) {
  BlockCache cache(store, 4 * mib);
  const auto place = stored(1, mib);
  store.add({.operation = Operation::get, .fault = Fault::refuse});
  const auto failed = cache.get(place, {0, 10}, 128 * kib);
  ASSERT_TRUE(failed[0]->ready());
  EXPECT_THROW(failed[0]->bytes(), storage::Error);
  check(cache.get(place, {0, 10}, 128 * kib), 1, 0, 10);
  EXPECT_EQ(gets(), 2);
}

TEST_F(BlockCacheTest, AnObjectThatIsShorterThanItsRowIsDamaged) {
  BlockCache cache(store, 4 * mib);
  auto place = stored(1, 100 * kib);
  place.object_size = 120 * kib;
  const auto segments = cache.get(place, {0, 10}, 128 * kib);
  EXPECT_THROW(segments[0]->bytes(), storage::Error);
}

TEST_F(BlockCacheTest, GoesOnlyWhenNothingIsUnderWay) {
  const auto place = stored(1, mib);
  auto cache = std::make_unique<BlockCache>(store, 4 * mib);
  store.add(
      {.operation = Operation::get, .fault = Fault::delay, .delay = std::chrono::milliseconds{50}});
  const auto segments = cache->get(place, {0, 10}, 128 * kib);
  cache = nullptr;
  EXPECT_TRUE(segments[0]->ready());
}

// --- Reader: how far ahead
// ---------------------------------------------------------------------------

class ReaderTest : public BlockCacheTest {
 protected:
  BlockCache cache{store, 64 * mib};
  Reader reader{cache};
};

TEST_F(ReaderTest, TheWindowDoublesWhileReadsFollowEachOther) {
  constexpr std::uint64_t size = 1024 * mib;
  std::uint64_t fetched = 0;
  std::uint64_t widest = 0;
  std::uint64_t at = 0;
  std::uint64_t narrowest = size;
  std::vector<std::uint64_t> windows;
  for (int i = 0; i < 4000; ++i, at += 32 * kib) {
    const auto plan = reader.plan(at, 32 * kib, size);
    if (!windows.empty() && windows.back() == 32 * mib) {
      narrowest = std::min(narrowest, fetched - (at + 32 * kib));
    }
    if (!plan.ahead) continue;
    EXPECT_EQ(plan.ahead->offset, std::max(fetched, at + 32 * kib)) << "never twice";
    fetched = plan.ahead->offset + plan.ahead->length;
    widest = std::max(widest, fetched - at);
    windows.push_back(fetched - (at + 32 * kib));
  }
  EXPECT_EQ(windows.front(), 64 * kib);
  EXPECT_GE(windows[1], 2 * windows[0]);
  EXPECT_EQ(windows.back(), 32 * mib) << "it stops growing";
  EXPECT_LE(widest, 32 * mib + 32 * kib);
  EXPECT_GE(narrowest, 28 * mib) << "one request after the other, not by halves";
}

TEST_F(ReaderTest, NothingIsFetchedBeyondTheEnd) {
  std::uint64_t fetched = 0;
  for (std::uint64_t at = 0; at < 3 * mib; at += 32 * kib) {
    if (const auto plan = reader.plan(at, 32 * kib, 3 * mib); plan.ahead) {
      fetched = plan.ahead->offset + plan.ahead->length;
    }
  }
  EXPECT_EQ(fetched, 3 * mib);
}

TEST_F(ReaderTest, RandomReadsFetchNothingAhead) {
  for (const std::uint64_t at : {500 * mib, 20 * mib, 700 * mib, 100 * mib}) {
    const auto plan = reader.plan(at, 4 * kib, 1024 * mib);
    EXPECT_FALSE(plan.ahead);
    EXPECT_EQ(plan.granularity, 128 * kib);
  }
}

TEST_F(ReaderTest, AJumpStartsOver) {
  for (std::uint64_t at = 0; at < 32 * mib; at += 256 * kib) reader.plan(at, 256 * kib, 1024 * mib);
  EXPECT_FALSE(reader.plan(500 * mib, 32 * kib, 1024 * mib).ahead);
  const auto plan = reader.plan(500 * mib + 32 * kib, 32 * kib, 1024 * mib);
  ASSERT_TRUE(plan.ahead) << "the next one follows";
  EXPECT_LE(plan.ahead->length, 256 * kib);
}

TEST_F(ReaderTest, PipelinedReadsALittleOutOfOrderAreInOrder) {
  int ahead = 0;
  for (std::uint64_t at = 0; at < 8 * mib; at += 128 * kib) {
    for (const std::uint64_t further : {96U, 32U, 64U, 0U}) {
      ahead += reader.plan(at + further * kib, 32 * kib, 1024 * mib).ahead ? 1 : 0;
    }
  }
  EXPECT_GT(ahead, 3);
}

TEST_F(ReaderTest, ReadersShareTheCache) {
  EXPECT_EQ(cache.window_max(), 32 * mib);
  reader.plan(0, kib, mib);
  {
    Reader other(cache);
    other.plan(0, kib, mib);
    EXPECT_EQ(cache.window_max(), 16 * mib);
  }
  EXPECT_EQ(cache.window_max(), 32 * mib);
}

}  // namespace
}  // namespace sftpd::vfs
