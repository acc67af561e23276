#include "sftpd/vfs/open_file/operation_queue.h"

#include "sftpd/vfs/executor.h"
#include "sftpd/vfs/writing/memory_pool.h"

namespace sftpd::vfs {

bool OperationQueue::idle() const {
  std::lock_guard lock(mutex_);
  return queue_.empty();
}

storage::Future<void> OperationQueue::submit(std::shared_ptr<void> keep_alive,
                                             Operation operation) {
  Queued queued{std::move(keep_alive), std::move(operation), {}};
  auto future = queued.promise.future();
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(queued));
    if (running_) return future;
    running_ = true;
  }
  try_now();
  return future;
}

/// Runs the first operation here as far as it needs no waiting.
void OperationQueue::try_now() {
  const std::uint64_t seen = memory_.releases();
  Queued* first = nullptr;
  {
    std::lock_guard lock(mutex_);
    first = &queue_.front();  // Stays put: only the running thread takes from the front.
  }
  Step step = Step::done;
  std::exception_ptr failure;
  try {
    step = first->operation(false);
  } catch (...) {
    failure = std::current_exception();
  }
  if (step != Step::done) return go_on(step, seen);
  Queued finished;
  bool more = false;
  {
    std::lock_guard lock(mutex_);
    finished = std::move(queue_.front());
    queue_.pop_front();
    more = !queue_.empty();
    running_ = more;
  }
  if (!more) memory_.became_idle();
  if (failure) {
    finished.promise.set_exception(failure);
  } else {
    finished.promise.set_value();
  }
  if (more) go_on(Step::needs_thread, 0);
}

/// Lets the executor take over: now, or when there is memory. The front operation keeps us alive.
void OperationQueue::go_on(Step step, std::uint64_t releases_seen) {
  std::shared_ptr<void> keep_alive;
  {
    std::lock_guard lock(mutex_);
    keep_alive = queue_.front().keep_alive;
  }
  auto drain_later = [this, keep_alive] { executor_.submit([this, keep_alive] { drain(); }); };
  if (step == Step::needs_memory) {
    memory_.when_released(releases_seen, drain_later);
  } else {
    drain_later();
  }
}

void OperationQueue::drain() noexcept {
  for (;;) {
    const std::uint64_t seen = memory_.releases();
    Queued* first = nullptr;
    {
      std::lock_guard lock(mutex_);
      running_ = !queue_.empty();
      if (running_) first = &queue_.front();
    }
    if (!first) return memory_.became_idle();
    Step step = Step::done;
    std::exception_ptr failure;
    try {
      step = first->operation(true);
    } catch (...) {
      failure = std::current_exception();
    }
    if (step == Step::needs_memory) return go_on(step, seen);
    if (step == Step::needs_thread) continue;
    Queued finished;
    {
      std::lock_guard lock(mutex_);
      finished = std::move(queue_.front());
      queue_.pop_front();
    }
    if (failure) {
      finished.promise.set_exception(failure);
    } else {
      finished.promise.set_value();
    }
  }
}

}  // namespace sftpd::vfs
