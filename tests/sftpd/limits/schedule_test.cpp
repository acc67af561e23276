#include "sftpd/limits/schedule.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sftpd::limits {
namespace {

using namespace std::chrono_literals;
using Clock = TokenBucket::Clock;

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

/// Channels that always have bytes to move, and a clock that goes as the schedule says.
class Crowd {
 public:
  Crowd(std::uint64_t rate_of_user, std::uint64_t rate_of_process)
      : process(rate_of_process, 1s, now), rate_of_user_(rate_of_user) {}

  Gate& user(std::int64_t id) {
    auto& gate = users_[id];
    if (!gate) gate = std::make_unique<Gate>(rate_of_user_, 1s, now);
    return *gate;
  }

  struct Channel {
    std::unique_ptr<Lane> lane;
    std::uint64_t moved = 0;
    bool awake = true;
  };

  Channel& add(std::int64_t user_id, std::int64_t connection) {
    auto channel = std::make_unique<Channel>();
    channel->lane = std::make_unique<Lane>(user(user_id), process, user_id, connection, now);
    channel->lane->wake = [at = channel.get()] { at->awake = true; };
    channels.push_back(std::move(channel));
    return *channels.back();
  }

  std::size_t move(Channel& channel, std::size_t wanted) {
    const std::size_t allowed = schedule.allow(*channel.lane, wanted, now);
    if (allowed > 0) schedule.moved(*channel.lane, allowed, now);
    channel.moved += allowed;
    return allowed;
  }

  /// Every channel moves pieces of 64 KiB as long as it may, until `time` has passed.
  void run(Clock::duration time) {
    const auto end = now + time;
    while (now < end) {
      bool any = false;
      for (const auto& channel : channels) {
        if (!channel->awake) continue;
        channel->awake = move(*channel, 64 * kib) > 0;
        any = any || channel->awake;
      }
      if (any) continue;
      const auto wait = schedule.next(now);
      ASSERT_TRUE(wait) << "everybody sleeps and nobody waits";
      now += std::max<Clock::duration>(*wait, 1us);
      schedule.serve(now);
    }
  }

  /// By all together.
  std::uint64_t moved() const {
    std::uint64_t all = 0;
    for (const auto& channel : channels) all += channel->moved;
    return all;
  }
  static std::uint64_t bytes_in(Clock::duration time, std::uint64_t rate) {
    const std::chrono::duration<double> seconds = time;
    return static_cast<std::uint64_t>(seconds.count() * static_cast<double>(rate));
  }

  Clock::time_point now{};
  Gate process;
  Schedule schedule;
  std::vector<std::unique_ptr<Channel>> channels;

 private:
  std::uint64_t rate_of_user_;
  std::map<std::int64_t, std::unique_ptr<Gate>> users_;
};

void expect_about(std::uint64_t moved, std::uint64_t expected, std::uint64_t slack) {
  EXPECT_GE(moved + slack, expected);
  EXPECT_LE(moved, expected + slack);
}

TEST(Schedule, OneChannelGetsBurstAndRate) {
  for (const std::uint64_t rate : {8 * kib, mib, 100 * mib}) {
    Crowd crowd(rate, 0);
    auto& channel = crowd.add(1, 1);
    crowd.run(10s);
    expect_about(channel.moved, 10 * rate + std::max<std::uint64_t>(rate, 64 * kib), 600 * kib);
  }
}

TEST(Schedule, ConnectionsOfAUserGetTheSameHoweverManyChannelsTheyHave) {
  Crowd crowd(mib, 0);
  for (int i = 0; i < 9; ++i) crowd.add(1, 1);
  auto& alone = crowd.add(1, 2);
  crowd.run(60s);
  expect_about(alone.moved, 30 * mib, 2 * mib);
}

TEST(Schedule, UsersShareTheProcessEquallyHoweverManyConnectionsTheyHave) {
  Crowd crowd(0, mib);
  for (int i = 0; i < 9; ++i) crowd.add(1, i);
  auto& alone = crowd.add(2, 100);
  crowd.run(60s);
  expect_about(alone.moved, 30 * mib, 2 * mib);
}

TEST(Schedule, WhatAUserMayNotUseOthersGet) {
  Crowd crowd(0, 4 * mib);
  crowd.user(1).change(mib, 1s, crowd.now);
  auto& slow = crowd.add(1, 1);
  auto& fast = crowd.add(2, 2);
  crowd.run(60s);
  expect_about(slow.moved, 61 * mib, 2 * mib);
  expect_about(fast.moved, (60 * 3 + 4) * mib, 4 * mib);
}

TEST(Schedule, WhoMovesLittleDoesNotWait) {
  Crowd crowd(mib, 2 * mib);
  for (int i = 0; i < 50; ++i) crowd.add(1, i);
  crowd.run(5s);
  auto& browsing = crowd.add(1, 100);
  browsing.awake = false;  // It asks by itself, not all the time.
  const std::uint64_t before = crowd.moved();
  const auto begun = crowd.now;
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(crowd.move(browsing, 2 * kib), 2 * kib) << i;
    crowd.run(100ms);
    browsing.awake = false;
  }
  expect_about(crowd.moved() - before, crowd.bytes_in(crowd.now - begun, mib), mib);
}

TEST(Schedule, HoweverManyMoveLittleTheOthersGetTheirShare) {
  Crowd crowd(mib, 0);
  auto& bulk = crowd.add(1, 1);
  crowd.run(5s);
  const std::uint64_t before = bulk.moved;
  const std::uint64_t all_before = crowd.moved();
  const auto begun = crowd.now;
  // 200 channels, 20 KiB/s each: four times the rate.
  std::vector<Crowd::Channel*> light;
  for (int i = 0; i < 200; ++i) {
    light.push_back(&crowd.add(1, 100 + i));
    light.back()->awake = false;
    light.back()->lane->wake = [] {};
  }
  for (int i = 0; i < 200; ++i) {
    for (auto* channel : light) crowd.move(*channel, 2 * kib);
    crowd.run(100ms);
  }
  const std::uint64_t possible = crowd.bytes_in(crowd.now - begun, mib);
  EXPECT_GT(bulk.moved - before, possible / 201 / 2) << "at least half of its share";
  expect_about(crowd.moved() - all_before, possible, 2 * mib);
}

TEST(Schedule, NewRatesHoldAtOnce) {
  Crowd crowd(mib, 0);
  auto& channel = crowd.add(1, 1);
  crowd.run(10s);
  const std::uint64_t before = channel.moved;
  crowd.user(1).change(10 * mib, 1s, crowd.now);
  crowd.schedule.serve(crowd.now);
  crowd.run(10s);
  expect_about(channel.moved - before, 100 * mib, 2 * mib);
}

TEST(Schedule, WithoutALimitNobodyIsKeptWaiting) {
  Crowd crowd(mib, 0);
  auto& channel = crowd.add(1, 1);
  crowd.run(5s);
  while (crowd.move(channel, 64 * kib) > 0) continue;
  channel.awake = false;
  crowd.user(1).change(0, 1s, crowd.now);
  crowd.schedule.serve(crowd.now);
  EXPECT_TRUE(channel.awake);
  EXPECT_GT(crowd.move(channel, 64 * kib), 0U);
  EXPECT_FALSE(crowd.schedule.next(crowd.now));
}

TEST(Schedule, WhoLeavesGivesItsTurnBack) {
  Crowd crowd(mib, mib);
  auto& leaving = crowd.add(1, 1);
  auto& staying = crowd.add(1, 2);
  crowd.run(5s);
  while (crowd.move(leaving, 64 * kib) > 0) continue;
  while (crowd.move(staying, 64 * kib) > 0) continue;
  leaving.awake = staying.awake = false;
  crowd.schedule.leave(*leaving.lane, crowd.now);
  const std::uint64_t before = staying.moved;
  crowd.run(10s);
  expect_about(staying.moved - before, 10 * mib, mib);
  EXPECT_FALSE(leaving.awake);
}

}  // namespace
}  // namespace sftpd::limits
