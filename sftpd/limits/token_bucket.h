#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sftpd::limits {

/// Fills at a rate up to its size, and is emptied by what was moved, below zero too: who moves
/// bytes first and pays then leaves a debt that the next one waits for. Only arithmetic; not
/// thread-safe.
class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;

  /// Full at first. `rate` in bytes per second; 0: no limit, it is never empty.
  TokenBucket(std::uint64_t rate, std::uint64_t size, Clock::time_point now);

  /// What was saved stays, and so does a debt, up to the new size: nobody pays for long at a new,
  /// slow rate for what they moved at a fast one.
  void change(std::uint64_t rate, std::uint64_t size, Clock::time_point now);

  bool limited() const { return rate_ > 0; }
  std::uint64_t rate() const { return rate_; }

  /// Bytes that may be moved; negative: a debt.
  double balance(Clock::time_point now);
  bool positive(Clock::time_point now) { return !limited() || balance(now) > 0; }
  /// Pays for bytes; a negative number gives back. The debt is never more than `debt_max`.
  void take(double bytes, Clock::time_point now);
  void take(double bytes, Clock::time_point now, double debt_max);

  /// How long until it is positive(); zero if it is.
  Clock::duration until_positive(Clock::time_point now);

 private:
  std::uint64_t rate_;
  double size_;
  double balance_;
  Clock::time_point filled_;
};

}  // namespace sftpd::limits
