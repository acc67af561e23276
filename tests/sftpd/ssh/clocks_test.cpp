#include "sftpd/ssh/clocks.h"

#include <gtest/gtest.h>

namespace sftpd::ssh {
namespace {

using namespace std::chrono_literals;
using Verdict = SilenceClock::Verdict;

const SilenceClock::Time start = SilenceClock::Time{} + 24h;

TEST(SilenceClock, AsksOnceEachIntervalAndGivesUpInTheEnd) {
  SilenceClock clock(10s, 2);
  clock.restart(start);
  EXPECT_EQ(clock.look(0, start + 9s), Verdict::alive);
  EXPECT_EQ(clock.look(0, start + 10s), Verdict::to_ask);
  EXPECT_EQ(clock.look(0, start + 11s), Verdict::alive);
  EXPECT_EQ(clock.look(0, start + 20s), Verdict::to_ask);
  EXPECT_EQ(clock.look(0, start + 30s), Verdict::gone);
}

TEST(SilenceClock, AnyByteIsASignOfLife) {
  SilenceClock clock(10s, 0);
  clock.restart(start);
  EXPECT_EQ(clock.look(1, start + 100s), Verdict::alive);
  EXPECT_EQ(clock.look(1, start + 109s), Verdict::alive);
  EXPECT_EQ(clock.look(1, start + 110s), Verdict::gone);
  EXPECT_EQ(SilenceClock(0s, 0).look(0, start + 24h), Verdict::alive);
}

TEST(IdleClock, IsOverWhenNothingMovesAndNothingIsHeldBack) {
  IdleClock clock(10s);
  clock.restart(start);
  EXPECT_FALSE(clock.look(0, false, start + 9s));
  EXPECT_FALSE(clock.look(1, false, start + 10s));
  EXPECT_FALSE(clock.look(1, true, start + 20s));
  EXPECT_FALSE(clock.look(1, false, start + 29s));
  EXPECT_TRUE(clock.look(1, false, start + 30s));
  EXPECT_FALSE(IdleClock(0s).look(0, false, start + 24h));
}

TEST(UnansweredClock, RunsFromARequestThatNobodyAnswers) {
  UnansweredClock clock;
  EXPECT_FALSE(clock.look({.bytes_in = 1000, .packets_out = 5, .requests = 1}, true, start));
  EXPECT_FALSE(clock.is_running());
  EXPECT_FALSE(clock.look({.bytes_in = 1500, .packets_out = 5, .requests = 1}, true, start));
  EXPECT_TRUE(clock.is_running());
  EXPECT_FALSE(clock.look({.bytes_in = 1520, .packets_out = 5, .requests = 1}, true, start + 1s));
  EXPECT_TRUE(clock.look({.bytes_in = 1540, .packets_out = 5, .requests = 1}, true, start + 2s));
}

TEST(UnansweredClock, StopsWithAnAnswer) {
  UnansweredClock clock;
  clock.look({.bytes_in = 1000, .packets_out = 0, .requests = 0}, true, start);
  EXPECT_TRUE(clock.is_running());
  EXPECT_FALSE(clock.look({.bytes_in = 1000, .packets_out = 1, .requests = 0}, true, start + 3s));
  EXPECT_FALSE(clock.is_running());
  EXPECT_FALSE(clock.look({.bytes_in = 9000, .packets_out = 1, .requests = 0}, false, start + 3s));
  EXPECT_FALSE(clock.is_running());
}

}  // namespace
}  // namespace sftpd::ssh
