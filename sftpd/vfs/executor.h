#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace sftpd::vfs {

/// Threads for work that waits for the store or the database. They start when first needed.
///
/// submit() may be called from any thread and never waits. Work must not throw. Work that waits for
/// other work submitted here could wait for ever: let it do that other work itself.
class Executor {
 public:
  explicit Executor(int threads_max) : threads_max_(threads_max) {}
  /// Finishes all that was submitted.
  ~Executor();

  void submit(std::function<void()> work);

 private:
  void run();

  const int threads_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  int idle_ = 0;
  bool stopping_ = false;
};

}  // namespace sftpd::vfs
