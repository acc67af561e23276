#include "sftpd/ssh/clocks.h"

#include <algorithm>

namespace sftpd::ssh {
namespace {

using std::chrono::milliseconds;

/// A publickey request is never shorter; SSH_MSG_IGNORE, sent to keep a connection alive, is.
constexpr std::uint64_t key_request_bytes_min = 100;

}  // namespace

SilenceClock::Verdict SilenceClock::look(std::uint64_t bytes_in, Time now) {
  if (interval_ <= milliseconds{0}) return Verdict::alive;
  if (bytes_in != bytes_in_seen_) {
    bytes_in_seen_ = bytes_in;
    heard_ = now;
  }
  if (now - heard_ < interval_) return Verdict::alive;
  if (now - heard_ >= interval_ * (unanswered_max_ + 1)) return Verdict::gone;
  if (now - std::max(asked_, heard_) < interval_) return Verdict::alive;
  asked_ = now;
  return Verdict::to_ask;
}

bool IdleClock::look(std::uint64_t bytes_moved, bool held_back, Time now) {
  if (timeout_ <= milliseconds{0}) return false;
  if (bytes_moved != moved_seen_ || held_back) {
    moved_seen_ = bytes_moved;
    active_ = now;
  }
  return now - active_ >= timeout_;
}

bool UnansweredClock::look(const Counts& counts, bool begun, Time now) {
  const auto came = counts.bytes_in - seen_.bytes_in;
  const bool answered =
      counts.requests != seen_.requests || counts.packets_out != seen_.packets_out;
  seen_ = counts;
  if (answered || !begun) {
    since_ = {};
  } else if (came >= key_request_bytes_min) {
    since_ = now;
  } else {
    return is_running() && now - since_ >= patience;
  }
  return false;
}

}  // namespace sftpd::ssh
