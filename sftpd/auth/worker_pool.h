#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "sftpd/auth/login.h"
#include "storage/future.h"

namespace sftpd::auth {

/// A few threads that decide logins, one after the other. Safe from any thread.
class WorkerPool {
 public:
  using Work = std::function<LoginResult()>;

  WorkerPool(int threads, std::size_t waiting_max);
  /// Refuses what waits, and waits for what runs.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// The future never throws: `overloaded` when too many wait, `unavailable` when the work throws,
  /// with what it threw.
  storage::Future<LoginResult> submit(Work work);

 private:
  struct Job {
    Work work;
    storage::Promise<LoginResult> promise;
  };
  void run();

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sftpd::auth
