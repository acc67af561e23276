#include "sftpd/vfs/writing/memory_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace sftpd::vfs {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

TEST(MemoryPool, ALonelyFileMayHaveAllOfIt) {
  MemoryPool pool(16 * mib);
  MemoryPool::Share share(pool);
  EXPECT_TRUE(share.try_reserve(16 * mib));
  EXPECT_FALSE(share.try_reserve(1));
  EXPECT_EQ(pool.used(), 16 * mib);
}

TEST(MemoryPool, EachFileGetsItsFairPart) {
  MemoryPool pool(16 * mib);
  MemoryPool::Share first(pool);
  MemoryPool::Share second(pool);
  EXPECT_EQ(first.fair_part(), 8 * mib);
  EXPECT_TRUE(first.try_reserve(8 * mib));
  EXPECT_FALSE(first.try_reserve(1));
  EXPECT_TRUE(second.try_reserve(8 * mib));
}

TEST(MemoryPool, AFileThatHoldsNothingGetsAFirstPieceBeyondItsFairPart) {
  MemoryPool pool(16 * mib);
  std::vector<std::unique_ptr<MemoryPool::Share>> shares;
  for (int i = 0; i < 64; ++i) shares.push_back(std::make_unique<MemoryPool::Share>(pool));
  EXPECT_EQ(shares[0]->fair_part(), mib / 4);
  EXPECT_TRUE(shares[0]->try_reserve(mib));
  EXPECT_FALSE(shares[0]->try_reserve(1)) << "only the first one";
  EXPECT_FALSE(shares[1]->try_reserve(mib + 1));
}

TEST(MemoryPool, AShareThatGoesGivesBackWhatItHeld) {
  MemoryPool pool(16 * mib);
  {
    MemoryPool::Share share(pool);
    EXPECT_TRUE(share.try_reserve(3 * mib));
    EXPECT_EQ(share.held(), 3 * mib);
  }
  EXPECT_EQ(pool.used(), 0U);
}

TEST(MemoryPool, WindowsOfChannelsLeaveHalfToTheFiles) {
  MemoryPool pool(16 * mib);
  EXPECT_TRUE(pool.try_reserve(8 * mib));
  EXPECT_FALSE(pool.try_reserve(1));
  MemoryPool::Share share(pool);
  EXPECT_TRUE(share.try_reserve(8 * mib));
  pool.release(8 * mib);
  EXPECT_EQ(pool.used(), 8 * mib);
}

TEST(MemoryPool, WakesWhoeverWaitsAtTheNextRelease) {
  MemoryPool pool(16 * mib);
  MemoryPool::Share share(pool);
  EXPECT_TRUE(share.try_reserve(16 * mib));
  const auto seen = pool.releases();
  int woken = 0;
  pool.when_released(seen, [&] { ++woken; });
  pool.when_released(seen, [&] { ++woken; });
  EXPECT_EQ(woken, 0);
  share.release(mib);
  EXPECT_EQ(woken, 2);
  share.release(mib);
  EXPECT_EQ(woken, 2) << "once";
}

TEST(MemoryPool, AReleaseBeforeTheWaitIsNotMissed) {
  MemoryPool pool(16 * mib);
  MemoryPool::Share share(pool);
  const auto seen = pool.releases();
  share.release(0);
  bool woken = false;
  pool.when_released(seen, [&] { woken = true; });
  EXPECT_TRUE(woken);
}

TEST(MemoryPool, StaysBelowItsCapacityUnderManyThreads) {
  MemoryPool pool(4 * mib);
  std::atomic<bool> above = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      MemoryPool::Share share(pool);
      for (int i = 0; i < 3000; ++i) {
        if (share.try_reserve(300'000)) {
          if (pool.used() > pool.capacity()) above = true;
          share.release(300'000);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(above);
  EXPECT_EQ(pool.used(), 0U);
}

}  // namespace
}  // namespace sftpd::vfs
