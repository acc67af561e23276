#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace sftpd::auth {

/// Lets threads wait until memory for their hash is free. What needs more than there is runs alone.
class MemoryGate {
 public:
  explicit MemoryGate(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Holds bytes while it lives.
  class Hold {
   public:
    Hold(MemoryGate& gate, std::size_t bytes)
        : gate_(gate), bytes_(std::min(bytes, gate.bytes_max_)) {
      std::unique_lock lock(gate_.mutex_);
      gate_.changed_.wait(lock, [this] { return gate_.held_ + bytes_ <= gate_.bytes_max_; });
      gate_.held_ += bytes_;
    }
    ~Hold() {
      std::lock_guard lock(gate_.mutex_);
      gate_.held_ -= bytes_;
      gate_.changed_.notify_all();
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    MemoryGate& gate_;
    std::size_t bytes_;
  };

 private:
  const std::size_t bytes_max_;
  std::size_t held_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace sftpd::auth
