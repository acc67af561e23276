#include "sftpd/process/stop_signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <future>

namespace sftpd::process {
namespace {

TEST(StopSignals, WaitReturnsTheSignal) {
  StopSignals signals;
  ::raise(SIGTERM);
  EXPECT_EQ(signals.wait(), SIGTERM);
  ::raise(SIGINT);
  EXPECT_EQ(signals.wait(), SIGINT);
}

TEST(StopSignals, HangupsAreAwaitedIfAskedFor) {
  StopSignals signals(StopSignals::Hangups::awaited);
  ::raise(SIGHUP);
  EXPECT_EQ(signals.wait(), SIGHUP);
  ::raise(SIGTERM);
  EXPECT_EQ(signals.wait(), SIGTERM);
}

TEST(StopDeadline, ASecondSignalForces) {
  StopSignals signals;
  std::promise<void> forced;
  StopDeadline deadline(std::chrono::hours(1), [&] { forced.set_value(); });
  ::kill(::getpid(), SIGTERM);
  forced.get_future().get();
}

TEST(StopDeadline, ItsEndForces) {
  std::promise<void> forced;
  StopDeadline deadline(std::chrono::milliseconds(1), [&] { forced.set_value(); });
  forced.get_future().get();
}

TEST(StopDeadline, WhoIsInTimeIsNotForced) {
  bool forced = false;
  {
    StopDeadline deadline(std::chrono::hours(1), [&] { forced = true; });
  }
  EXPECT_FALSE(forced);
}

}  // namespace
}  // namespace sftpd::process
