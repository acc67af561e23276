#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace sftpd::vfs {

/// The process's budget of memory for bytes on their way to the store.
///
/// It counts bytes, it does not own them. Safe from any thread. A Share is one file being written:
/// it gives back what it holds when it goes, and knows how much it may hold so that all get a part.
class MemoryPool {
 public:
  explicit MemoryPool(std::size_t capacity) : capacity_(capacity) {}

  class Share {
   public:
    explicit Share(MemoryPool& pool);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    /// Takes `bytes` unless the pool is empty or this share has its fair part already. A share
    /// that holds nothing may take up to 1 MiB beyond its fair part, so that each gets on.
    bool try_reserve(std::size_t bytes);
    void release(std::size_t bytes);
    /// What it may hold, given how many there are now.
    std::size_t fair_part() const;
    std::size_t held() const;

   private:
    MemoryPool& pool_;
    std::size_t held_ = 0;
  };

  /// For what is not a file: a channel's receive window.
  bool try_reserve(std::size_t bytes);
  void release(std::size_t bytes);

  /// Counts releases. Read it before an attempt; after a failed one, wait for a later release.
  std::uint64_t releases() const;
  /// Calls `callback` once when there was a release after the `seen`th: at once if there was one
  /// already, else on the releasing thread, where it must not block.
  void when_released(std::uint64_t seen, std::function<void()> callback);

  /// Somebody waits for what idle files hold, and found none idle: the next became_idle() counts as
  /// a release. Call it before looking for one.
  void look_again_when_idle() { idle_wanted_ = true; }
  void became_idle() {
    if (idle_wanted_ && idle_wanted_.exchange(false)) release(0);
  }

  /// Waits until there is no Share any more.
  void wait_until_unshared();

  std::size_t used() const;
  /// Callbacks that wait for a release: files whose clients have to wait.
  std::size_t waiting() const;
  std::size_t capacity() const { return capacity_; }

 private:
  void release_locked(std::size_t bytes, std::unique_lock<std::mutex>& lock);

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::size_t used_ = 0;
  std::size_t shares_ = 0;
  std::size_t alive_ = 0;  ///< shares, with those whose destructors still run
  std::condition_variable unshared_;
  std::atomic<bool> idle_wanted_ = false;
  std::uint64_t releases_ = 0;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace sftpd::vfs
