#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace sftpd::vfs {

/// How many bytes wait in PostgreSQL to be moved to the store. Where too many do (the store is
/// away, or slower than clients), new content goes to the store at once, and clients wait for it.
///
/// Counts what this process adds and moves, and learns from each measurement what others did. Safe
/// from any thread.
class InlineBacklog {
 public:
  explicit InlineBacklog(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  bool has_room() const {
    std::lock_guard lock(mutex_);
    return bytes_ < bytes_max_;
  }
  void added(std::uint64_t bytes) {
    std::lock_guard lock(mutex_);
    bytes_ += bytes;
  }
  void removed(std::uint64_t bytes) {
    std::lock_guard lock(mutex_);
    bytes_ -= std::min(bytes, bytes_);
  }

  /// A measurement reads an index entry for each extent that waits: not for every batch.
  bool is_measurement_due() const {
    std::lock_guard lock(mutex_);
    return !measured_at_ || Clock::now() - *measured_at_ >= std::chrono::seconds{10};
  }
  /// `oldest` is how long the first of them has waited.
  void measured(std::uint64_t bytes, std::chrono::seconds oldest) {
    std::lock_guard lock(mutex_);
    bytes_ = bytes;
    oldest_ = oldest;
    measured_at_ = Clock::now();
  }

  struct State {
    std::uint64_t bytes = 0;
    std::uint64_t bytes_max = 0;
    std::chrono::seconds oldest{0};                         ///< when it was measured
    std::optional<std::chrono::duration<double>> measured;  ///< so long ago; empty: never
  };
  State state() const {
    std::lock_guard lock(mutex_);
    State state{.bytes = bytes_, .bytes_max = bytes_max_, .oldest = oldest_, .measured = {}};
    if (measured_at_) state.measured = Clock::now() - *measured_at_;
    return state;
  }

 private:
  using Clock = std::chrono::steady_clock;

  const std::uint64_t bytes_max_;
  mutable std::mutex mutex_;
  std::uint64_t bytes_ = 0;
  std::chrono::seconds oldest_{0};
  std::optional<Clock::time_point> measured_at_;
};

}  // namespace sftpd::vfs
