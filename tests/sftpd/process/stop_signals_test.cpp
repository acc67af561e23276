#include "sftpd/process/stop_signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <thread>

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

TEST(StartSignals, TheFirstRequestsAStop) {
  StopSignals signals;
  StartSignals starting(std::chrono::hours(1), [] { ADD_FAILURE() << "there is time"; });
  EXPECT_FALSE(starting.token().stop_requested());
  EXPECT_EQ(starting.signal(), 0);
  ::kill(::getpid(), SIGTERM);
  while (!starting.token().stop_requested()) std::this_thread::yield();
  EXPECT_EQ(starting.signal(), SIGTERM);
  EXPECT_EQ(starting.finish(), SIGTERM);
}

TEST(StartSignals, ASecondOneForces) {
  StopSignals signals;
  std::promise<void> forced;
  StartSignals starting(std::chrono::hours(1), [&] { forced.set_value(); });
  ::kill(::getpid(), SIGTERM);
  while (!starting.token().stop_requested()) std::this_thread::yield();
  ::kill(::getpid(), SIGINT);
  forced.get_future().get();
}

TEST(StartSignals, WhoDoesNotStopInTimeIsForced) {
  StopSignals signals;
  std::promise<void> forced;
  StartSignals starting(std::chrono::milliseconds(1), [&] { forced.set_value(); });
  ::kill(::getpid(), SIGTERM);
  forced.get_future().get();
}

TEST(StartSignals, AfterTheStartSignalsAreLeftToOthers) {
  StopSignals signals;
  StartSignals starting(std::chrono::hours(1), [] {});
  EXPECT_EQ(starting.finish(), 0);
  ::kill(::getpid(), SIGTERM);
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
