#include "sftpd/jobs/scheduler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <semaphore>
#include <stdexcept>

namespace sftpd::jobs {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(Scheduler, RunsEachJobAgainAndAgain) {
  std::counting_semaphore<> first(0);
  std::counting_semaphore<> second(0);
  auto count = [](std::counting_semaphore<>& runs) {
    return [&runs](const std::stop_token&) {
      runs.release();
      return Progress{};
    };
  };
  Scheduler scheduler(
      {{"first", milliseconds(1), count(first)}, {"second", milliseconds(1), count(second)}}, 1);
  for (int i = 0; i < 3; ++i) {
    first.acquire();
    second.acquire();
  }
}

TEST(Scheduler, AFullBatchRunsAgainAtOnce) {
  std::promise<void> finished;
  int batches = 0;
  auto run = [&](const std::stop_token&) {
    if (++batches == 100) finished.set_value();
    return Progress{.done = 1, .more = batches < 100};
  };
  // A hundred intervals would take longer than any test may.
  Scheduler scheduler({{"batches", milliseconds(200), run}}, 1);
  finished.get_future().get();
}

TEST(Scheduler, AFailureIsTriedAgainAndHarmsNoOtherJob) {
  std::counting_semaphore<> tries(0);
  std::counting_semaphore<> others(0);
  auto fail = [&](const std::stop_token&) -> Progress {
    tries.release();
    throw std::runtime_error("the database is away");
  };
  auto succeed = [&](const std::stop_token&) {
    others.release();
    return Progress{};
  };
  Scheduler scheduler(
      {{"fails", milliseconds(1), fail, milliseconds(1)}, {"succeeds", milliseconds(1), succeed}},
      1);
  tries.acquire();
  tries.acquire();
  others.acquire();
  others.acquire();
}

TEST(Scheduler, CountsRunsAndWhatCameOfThem) {
  std::promise<void> finished;
  int runs = 0;
  auto run = [&](const std::stop_token&) -> Progress {
    if (++runs == 1) return {.done = 3, .more = true, .failed = 2};
    if (runs == 3) finished.set_value();
    throw std::runtime_error("the store is away");
  };
  std::vector<std::shared_ptr<const JobCounts>> counts;
  {
    Scheduler scheduler({{"works", milliseconds(1), run, milliseconds(1)}}, 1);
    counts = scheduler.counts();
    finished.get_future().get();
  }
  ASSERT_EQ(counts.size(), 1U);
  EXPECT_EQ(counts[0]->name, "works");
  EXPECT_GE(counts[0]->runs.value(), 3U);
  EXPECT_EQ(counts[0]->failed_runs.value(), counts[0]->runs.value() - 1);
  EXPECT_EQ(counts[0]->done.value(), 3U);
  EXPECT_EQ(counts[0]->failed.value(), 2U);
  EXPECT_GT(counts[0]->succeeded_last.load(), 1'000'000'000);
}

TEST(Scheduler, TheEndDoesNotWaitForIntervals) {
  std::atomic<bool> ran = false;
  {
    Scheduler scheduler({{"later", hours(10'000),
                          [&](const std::stop_token&) {
                            ran = true;
                            return Progress{};
                          }}},
                        1);
  }
  EXPECT_FALSE(ran);
}

TEST(Scheduler, ARunningBatchIsAskedToStop) {
  std::promise<void> running;
  {
    auto run = [&](const std::stop_token& stop) {
      running.set_value();
      while (!stop.stop_requested()) std::this_thread::yield();
      return Progress{};
    };
    Scheduler scheduler({{"long", milliseconds(1), run}}, 1);
    running.get_future().get();
  }
}

}  // namespace
}  // namespace sftpd::jobs
