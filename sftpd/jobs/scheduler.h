#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sftpd/counters.h"

namespace sftpd::jobs {

/// What a run of a job did.
struct Progress {
  int done = 0;       ///< things dealt with, for the log
  bool more = false;  ///< there was more to do than fits one batch: run again at once
  int failed = 0;     ///< things that could not be dealt with, to be tried again
};

/// Work to be repeated. `run` does one batch, of seconds at most, and looks at `stop` in between.
/// It may throw: the failure is logged and the job tried again after `retry`.
struct Job {
  std::string name;
  std::chrono::milliseconds interval{60'000};
  std::function<Progress(const std::stop_token& stop)> run;
  std::chrono::milliseconds retry{30'000};
};

/// What came of a job's runs, for metrics.
struct JobCounts {
  explicit JobCounts(std::string job) : name(std::move(job)) {}
  const std::string name;
  Counter runs;
  Counter failed_runs;
  Counter done;
  Counter failed;                               ///< things, not runs
  std::atomic<std::int64_t> succeeded_last{0};  ///< seconds since 1970; 0: not yet
};

/// Runs jobs one after the other on one thread, each about once an interval: first after a random
/// part of it, then with a tenth of jitter, so that the nodes of a fleet do not all come at once.
class Scheduler {
 public:
  using Clock = std::chrono::steady_clock;

  /// Begins. `seed` is for the jitter.
  Scheduler(std::vector<Job> jobs, std::uint64_t seed);
  /// Asks the running batch to stop and waits for it.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Of each job. From any thread; they may outlive the scheduler.
  std::vector<std::shared_ptr<const JobCounts>> counts() const;

  /// Begins no further batch. Does not wait.
  void request_stop() { thread_.request_stop(); }

 private:
  struct Entry {
    Job job;
    Clock::time_point due;
    std::shared_ptr<JobCounts> counts;
  };

  void loop(const std::stop_token& stop);
  void run_one(Entry& entry, const std::stop_token& stop);
  Clock::duration jittered(std::chrono::milliseconds interval);

  std::vector<Entry> entries_;
  std::mt19937_64 random_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  ///< last: it uses all of the above
};

}  // namespace sftpd::jobs
