#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>

namespace sftpd::ssh {

/// How far ahead a client may send on one channel: the base, and up to sixteen times as much when
/// it would arrive within a round trip and memory for it can be had. What was granted cannot be
/// taken back, so it is paid for until the channel ends. The base is had without asking: what of it
/// piles up here is bounded by WaitingRoom, but for clients that leave their output unread.
class ReceiveWindow {
 public:
  using Clock = std::chrono::steady_clock;
  struct Limits {
    std::size_t base_bytes = 0;
    std::size_t max_bytes = 0;
    std::function<bool(std::size_t)> reserve;  ///< null: yes
    std::function<void(std::size_t)> release;  ///< null: nothing
    std::function<std::chrono::microseconds()> round_trip;
  };

  explicit ReceiveWindow(const Limits& limits) : limits_(limits), size_(limits.base_bytes) {}
  ~ReceiveWindow();
  ReceiveWindow(const ReceiveWindow&) = delete;
  ReceiveWindow& operator=(const ReceiveWindow&) = delete;

  /// The program took bytes; the window may grow.
  void consumed(std::size_t bytes, Clock::time_point now);

  std::size_t size() const { return size_; }

  /// Whether it is time to tell the client about what was taken: not for every packet, but before
  /// much of a large window is missing.
  bool due() const { return unannounced_ >= std::min(size_ / 4, announced_at_least); }
  void announced() { unannounced_ = 0; }

 private:
  static constexpr std::size_t announced_at_least = std::size_t{1} << 20;

  void grow();
  bool pay(std::size_t bytes);

  const Limits& limits_;
  std::size_t size_;
  std::size_t paid_ = 0;
  std::size_t unannounced_ = 0;
  std::size_t quarter_bytes_ = 0;      ///< of a quarter of the window
  Clock::time_point quarter_since_{};  ///< when the one before it was complete
};

}  // namespace sftpd::ssh
