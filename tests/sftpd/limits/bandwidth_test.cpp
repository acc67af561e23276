#include "sftpd/limits/bandwidth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <semaphore>
#include <thread>

namespace sftpd::limits {
namespace {

using metadata::TransferRates;
using metadata::UserId;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t mib = 1 << 20;

BandwidthOptions process_rate(std::uint64_t upload) {
  return {.process = {.upload = upload, .download = 0}, .user = {}};
}

/// A thread's channel: moves bytes and sleeps until it is woken.
struct Mover {
  Mover(Bandwidth& bandwidth, const UserTrafficPtr& user, std::uint64_t connection)
      : flow(bandwidth, user, connection, [this] { woken.release(); }) {}

  void move(Direction direction, std::uint64_t bytes) {
    while (bytes > 0) {
      const std::size_t allowed = flow.allow(direction, std::min<std::uint64_t>(bytes, 65536));
      if (allowed == 0) woken.acquire();
      flow.moved(direction, allowed);
      bytes -= allowed;
    }
  }

  std::counting_semaphore<> woken{0};
  Flow flow;
};

TEST(Bandwidth, WithoutLimitsEverythingIsAllowed) {
  Bandwidth bandwidth({});
  Mover mover(bandwidth, bandwidth.enter({1}, {}), 1);
  EXPECT_EQ(mover.flow.allow(Direction::upload, 1U << 30), 1U << 30);
  EXPECT_FALSE(mover.flow.waits());
}

TEST(Bandwidth, MovingMoreThanTheBurstTakesTime) {
  Bandwidth bandwidth({});
  const auto user = bandwidth.enter({1}, {.upload_max = 4 * mib, .download_max = {}});
  const auto begun = std::chrono::steady_clock::now();
  auto half = [&](std::uint64_t connection) {
    Mover(bandwidth, user, connection).move(Direction::upload, 3 * mib);
  };
  std::thread other(half, 1);
  half(2);
  other.join();
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(400));
  EXPECT_GT(bandwidth.waits().uploads, 0U);
  EXPECT_EQ(bandwidth.waits().downloads, 0U);
}

TEST(Bandwidth, TheOtherDirectionIsFree) {
  Bandwidth bandwidth(process_rate(1024));
  Mover mover(bandwidth, bandwidth.enter({1}, {}), 1);
  mover.move(Direction::download, 1000 * mib);
  EXPECT_FALSE(mover.flow.waits());
}

TEST(Bandwidth, WhoWaitsFollowsChanges) {
  Bandwidth bandwidth(process_rate(1024));
  auto moved = std::async(std::launch::async, [&] {
    Mover(bandwidth, bandwidth.enter({1}, {}), 1).move(Direction::upload, 100 * mib);
  });
  while (bandwidth.users().empty()) std::this_thread::yield();
  bandwidth.change(process_rate(0));  // At 1 KiB/s this would take a day.
  moved.get();
}

TEST(Bandwidth, AUsersOwnRateGoesBeforeTheUsualOne) {
  Bandwidth bandwidth({.process = {}, .user = {.upload = 1024, .download = 1024}});
  const auto user = bandwidth.enter({1}, {.upload_max = 0, .download_max = {}});
  Mover mover(bandwidth, user, 1);
  mover.move(Direction::upload, 100 * mib);
  EXPECT_TRUE(bandwidth.change_user({1}, {.upload_max = {}, .download_max = 0}));
  mover.move(Direction::download, 100 * mib);
  while (mover.flow.allow(Direction::upload, 65536) > 0) {
    mover.flow.moved(Direction::upload, 65536);
  }
  EXPECT_TRUE(mover.flow.waits());
}

TEST(Bandwidth, UsersAreKnownWhileTheyAreConnected) {
  Bandwidth bandwidth({});
  const TransferRates slow{.upload_max = 1024, .download_max = {}};
  auto user = bandwidth.enter({7}, {});
  EXPECT_THAT(bandwidth.users(), ElementsAre(UserId{7}));
  EXPECT_TRUE(bandwidth.change_user({7}, slow));
  EXPECT_FALSE(bandwidth.change_user({7}, slow)) << "no news";
  EXPECT_FALSE(bandwidth.change_user({8}, slow)) << "not there";
  user.reset();
  EXPECT_THAT(bandwidth.users(), IsEmpty());
}

TEST(Bandwidth, AFlowMayEndWhileItWaits) {
  Bandwidth bandwidth(process_rate(1024));
  const auto user = bandwidth.enter({1}, {});
  for (int i = 0; i < 100; ++i) {
    Mover mover(bandwidth, user, 1);
    while (const std::size_t allowed = mover.flow.allow(Direction::upload, 65536)) {
      mover.flow.moved(Direction::upload, allowed);
    }
    EXPECT_TRUE(mover.flow.waits());
  }
}

}  // namespace
}  // namespace sftpd::limits
