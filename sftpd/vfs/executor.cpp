#include "sftpd/vfs/executor.h"

namespace sftpd::vfs {

Executor::~Executor() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Executor::submit(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  queue_.push_back(std::move(work));
  const bool all_busy = queue_.size() > static_cast<std::size_t>(idle_);
  if (all_busy && !stopping_ && threads_.size() < static_cast<std::size_t>(threads_max_)) {
    threads_.emplace_back([this] { run(); });
  }
  changed_.notify_one();
}

void Executor::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

}  // namespace sftpd::vfs
