#include "sftpd/ssh/receive_window.h"

#include <algorithm>
#include <utility>

namespace sftpd::ssh {
namespace {

/// For nearer clients the base is enough at any speed, and what arrives in one go tells nothing.
constexpr std::chrono::milliseconds near_max{5};

}  // namespace

ReceiveWindow::~ReceiveWindow() {
  if (paid_ > 0 && limits_.release) limits_.release(paid_);
}

bool ReceiveWindow::pay(std::size_t bytes) {
  if (limits_.reserve && !limits_.reserve(bytes)) return false;
  paid_ += bytes;
  return true;
}

void ReceiveWindow::consumed(std::size_t bytes, Clock::time_point now) {
  unannounced_ += bytes;
  quarter_bytes_ += bytes;
  if (quarter_bytes_ < size_ / 4) return;
  quarter_bytes_ = 0;
  const auto elapsed = now - std::exchange(quarter_since_, now);
  // At this speed all of it arrives within a round trip: the client has to stop and wait.
  if (limits_.round_trip && size_ < limits_.max_bytes) {
    const auto round_trip = limits_.round_trip();
    if (round_trip >= near_max && 4 * elapsed <= round_trip) grow();
  }
}

/// At once as far as may be: each round trip in which the client waits is lost.
void ReceiveWindow::grow() {
  for (const std::size_t factor : {16U, 4U, 2U}) {
    const std::size_t target = std::min(limits_.max_bytes, size_ * factor);
    if (!pay(target - size_)) continue;
    size_ = target;
    unannounced_ = std::max(unannounced_, announced_at_least);
    return;
  }
}

}  // namespace sftpd::ssh
