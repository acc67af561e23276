#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <mutex>

#include "storage/future.h"

namespace sftpd::vfs {

class Executor;
class MemoryPool;

/// What became of an operation that was tried.
enum class Step {
  done,
  needs_thread,  ///< it has to wait for the store: again with `may_wait`, on the executor
  needs_memory   ///< again when the pool got memory back (or says that it did: release(0))
};

/// Runs the operations on one open file one after the other, in the order of submit().
///
/// An operation that needs not wait runs at once on the caller's thread; one that must goes on on
/// the executor, and those behind it queue up. Safe from any thread.
class OperationQueue {
 public:
  /// Tries the operation; called again until it is done or throws.
  using Operation = std::function<Step(bool may_wait)>;

  OperationQueue(Executor& executor, MemoryPool& memory) : executor_(executor), memory_(memory) {}

  /// `keep_alive` owns this queue. The future throws what the operation threw.
  storage::Future<void> submit(std::shared_ptr<void> keep_alive, Operation operation);

  bool idle() const;

 private:
  struct Queued {
    std::shared_ptr<void> keep_alive;
    Operation operation;
    storage::Promise<void> promise;
  };

  void try_now();
  void drain() noexcept;
  void go_on(Step step, std::uint64_t releases_seen);

  Executor& executor_;
  MemoryPool& memory_;
  mutable std::mutex mutex_;
  std::deque<Queued> queue_;
  bool running_ = false;
};

}  // namespace sftpd::vfs
