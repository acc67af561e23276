#include "sftpd/ssh/receive_window.h"

#include <algorithm>

namespace sftpd::ssh {
namespace {

/// Shorter measurements see bursts, longer ones let a fast upload wait for its window.
constexpr std::chrono::milliseconds measuring_time{50};
/// After such a pause the rate is a new one.
constexpr std::chrono::milliseconds pause{1000};

}  // namespace

ReceiveWindow::~ReceiveWindow() {
  if (size_ > limits_.base_bytes && limits_.release) limits_.release(size_ - limits_.base_bytes);
}

void ReceiveWindow::consumed(std::size_t bytes, Clock::time_point now) {
  unannounced_ += bytes;
  const auto elapsed = now - measured_since_;
  if (elapsed > pause) {
    measured_since_ = now;
    measured_bytes_ = 0;
    return;
  }
  measured_bytes_ += bytes;
  if (elapsed < measuring_time) return;
  grow(static_cast<double>(measured_bytes_) / std::chrono::duration<double>(elapsed).count());
  measured_since_ = now;
  measured_bytes_ = 0;
}

void ReceiveWindow::grow(double bytes_per_second) {
  if (size_ >= limits_.max_bytes || !limits_.round_trip) return;
  const std::chrono::duration<double> round_trip = limits_.round_trip();
  const double wanted = 2 * bytes_per_second * round_trip.count();
  if (wanted <= static_cast<double>(size_)) return;
  const std::size_t target =
      std::min(limits_.max_bytes, std::max(size_ * 2, static_cast<std::size_t>(wanted)));
  if (limits_.reserve && !limits_.reserve(target - size_)) return;
  size_ = target;
}

}  // namespace sftpd::ssh
