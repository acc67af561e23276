#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace sftpd::ssh {

/// How long a client takes to answer, from the dialogue at its start: TCP's own measurement ends at
/// whatever proxy or balancer stands between.
class RoundTrip {
 public:
  using Clock = std::chrono::steady_clock;

  /// We sent what a client answers at once.
  void asked(Clock::time_point now) { asked_ = now; }
  /// Its answer, if it is one, is there.
  void answered(Clock::time_point now) {
    if (!asked_) return;
    if (samples_.size() < samples_max) {
      samples_.push_back(std::chrono::duration_cast<std::chrono::microseconds>(now - *asked_));
    }
    asked_.reset();
  }

  /// The second shortest: the shortest may come from a client that did not wait for us, and in a
  /// longer one somebody may have typed.
  std::chrono::microseconds value() const {
    if (samples_.empty()) return std::chrono::microseconds{0};
    std::vector<std::chrono::microseconds> sorted = samples_;
    std::sort(sorted.begin(), sorted.end());
    return std::min<std::chrono::microseconds>(sorted[sorted.size() > 1 ? 1 : 0],
                                               std::chrono::seconds{2});
  }

 private:
  static constexpr std::size_t samples_max = 3;
  std::optional<Clock::time_point> asked_;
  std::vector<std::chrono::microseconds> samples_;
};

}  // namespace sftpd::ssh
