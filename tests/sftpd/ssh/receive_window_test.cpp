#include "sftpd/ssh/receive_window.h"

#include <gtest/gtest.h>

#include "sftpd/ssh/round_trip.h"

namespace sftpd::ssh {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t mib = std::size_t{1} << 20;

class Window : public ::testing::Test {
 protected:
  /// So many bytes a millisecond for a while.
  void receive(ReceiveWindow& window, std::size_t bytes_per_ms, int for_ms) {
    for (int i = 0; i < for_ms; ++i) {
      now += milliseconds(1);
      window.consumed(bytes_per_ms, now);
    }
  }
  std::size_t reserved = 0;
  bool memory_left = true;
  microseconds round_trip{milliseconds(100)};
  ReceiveWindow::Limits limits{.base_bytes = 2 * mib,
                               .max_bytes = 16 * mib,
                               .reserve =
                                   [this](std::size_t bytes) {
                                     if (memory_left) reserved += bytes;
                                     return memory_left;
                                   },
                               .release = [this](std::size_t bytes) { reserved -= bytes; },
                               .round_trip = [this] { return round_trip; }};
  ReceiveWindow::Clock::time_point now{seconds(1000)};
};

TEST_F(Window, GrowsWhenAWindowARoundTripArrives) {
  {
    ReceiveWindow window(limits);
    receive(window, 21'000, 1000);  // 2 MiB in 100 ms
    EXPECT_GE(window.size(), 4 * mib);
    receive(window, 160'000, 1000);
    EXPECT_EQ(window.size(), 16 * mib);
    EXPECT_EQ(reserved, 14 * mib);
  }
  EXPECT_EQ(reserved, 0U);
}

TEST_F(Window, StaysWhenTheClientIsSlowOrNear) {
  ReceiveWindow window(limits);
  receive(window, 1'000, 1000);
  EXPECT_EQ(window.size(), 2 * mib);
  round_trip = microseconds(100);
  receive(window, 1'000'000, 1000);  // 1 GB/s
  EXPECT_EQ(window.size(), 2 * mib);
  EXPECT_EQ(reserved, 0U);
}

TEST_F(Window, StaysWhenThereIsNoMemory) {
  memory_left = false;
  ReceiveWindow window(limits);
  receive(window, 100'000, 1000);
  EXPECT_EQ(window.size(), 2 * mib);
}

TEST_F(Window, WhatComesAfterAPauseDoesNotCount) {
  ReceiveWindow window(limits);
  for (int i = 0; i < 10; ++i) {
    now += seconds(10);
    window.consumed(mib, now);
  }
  EXPECT_EQ(window.size(), 2 * mib);
}

TEST_F(Window, IsAsLargeAsItGetsOnceHalfOfItCameAtOnce) {
  ReceiveWindow window(limits);
  receive(window, mib / 4, 3);
  EXPECT_EQ(window.size(), 2 * mib);
  window.announced();
  receive(window, mib / 4, 1);
  EXPECT_EQ(window.size(), 16 * mib);
  EXPECT_TRUE(window.due()) << "the client waits for it";
}

TEST_F(Window, GrowsByLessWhereMemoryIsShort) {
  limits.reserve = [](std::size_t bytes) { return bytes <= 2 * mib; };
  ReceiveWindow window(limits);
  receive(window, mib / 4, 8);
  EXPECT_EQ(window.size(), 4 * mib);
}

TEST_F(Window, IsAnnouncedByQuarters) {
  ReceiveWindow window(limits);
  window.consumed(mib / 2 - 1, now);
  EXPECT_FALSE(window.due());
  window.consumed(1, now);
  EXPECT_TRUE(window.due());
  window.announced();
  EXPECT_FALSE(window.due());
}

TEST(RoundTrip, IsTheSecondShortestOfTheFirstThree) {
  RoundTrip round_trip;
  EXPECT_EQ(round_trip.value(), microseconds(0));
  RoundTrip::Clock::time_point now{seconds(1)};
  const auto sample = [&](milliseconds length) {
    round_trip.asked(now);
    now += length;
    round_trip.answered(now);
    now += seconds(1);
    round_trip.answered(now);  // nobody asked
  };
  sample(milliseconds(50));
  EXPECT_EQ(round_trip.value(), milliseconds(50));
  sample(milliseconds(1));
  EXPECT_EQ(round_trip.value(), milliseconds(50));
  sample(milliseconds(60'000));
  EXPECT_EQ(round_trip.value(), milliseconds(50));
  sample(milliseconds(1));
  EXPECT_EQ(round_trip.value(), milliseconds(50));
}

TEST(RoundTrip, HasABound) {
  RoundTrip round_trip;
  round_trip.asked(RoundTrip::Clock::time_point{});
  round_trip.answered(RoundTrip::Clock::time_point{seconds(100)});
  EXPECT_EQ(round_trip.value(), seconds(2));
}

}  // namespace
}  // namespace sftpd::ssh
