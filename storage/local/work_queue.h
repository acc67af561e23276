#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace storage::local {

/// A few threads that do blocking work in the order given. Safe to use from any thread.
class WorkQueue {
 public:
  WorkQueue(std::size_t threads, std::size_t waiting_max);
  /// Does what was accepted, then ends.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  /// False where too much is waiting. `work` must not throw. Never waits.
  [[nodiscard]] bool submit(std::function<void()> work);

 private:
  void run();

  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace storage::local
