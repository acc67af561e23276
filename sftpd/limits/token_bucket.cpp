#include "sftpd/limits/token_bucket.h"

#include <algorithm>
#include <limits>

namespace sftpd::limits {

TokenBucket::TokenBucket(std::uint64_t rate, std::uint64_t size, Clock::time_point now)
    : rate_(rate), size_(static_cast<double>(size)), balance_(size_), filled_(now) {}

void TokenBucket::change(std::uint64_t rate, std::uint64_t size, Clock::time_point now) {
  balance(now);
  const bool was_limited = limited();
  rate_ = rate;
  size_ = static_cast<double>(size);
  balance_ = was_limited ? std::clamp(balance_, -size_, size_) : size_;
}

double TokenBucket::balance(Clock::time_point now) {
  if (now > filled_) {
    const std::chrono::duration<double> passed = now - filled_;
    balance_ = std::min(size_, balance_ + passed.count() * static_cast<double>(rate_));
    filled_ = now;
  }
  return balance_;
}

void TokenBucket::take(double bytes, Clock::time_point now) {
  take(bytes, now, std::numeric_limits<double>::infinity());
}

void TokenBucket::take(double bytes, Clock::time_point now, double debt_max) {
  if (!limited()) return;
  balance_ = std::clamp(balance(now) - bytes, -debt_max, size_);
}

TokenBucket::Clock::duration TokenBucket::until_positive(Clock::time_point now) {
  if (positive(now)) return {};
  // One byte more than nothing.
  const std::chrono::duration<double> wait((1 - balance_) / static_cast<double>(rate_));
  return std::chrono::ceil<Clock::duration>(wait);
}

}  // namespace sftpd::limits
