#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace sftpd::jobs {

/// What a run of a job did.
struct Progress {
  int done = 0;       ///< things dealt with, for the log
  bool more = false;  ///< there was more to do than fits one batch: run again at once
};

/// Work to be repeated. `run` does one batch, of seconds at most, and looks at `stop` in between.
/// It may throw: the failure is logged and the job tried again after `retry`.
struct Job {
  std::string name;
  std::chrono::milliseconds interval{60'000};
  std::function<Progress(const std::stop_token& stop)> run;
  std::chrono::milliseconds retry{30'000};
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

  /// Begins no further batch. Does not wait.
  void request_stop() { thread_.request_stop(); }

 private:
  struct Entry {
    Job job;
    Clock::time_point due;
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
