#include "sftpd/limits/schedule.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace sftpd::limits {
namespace {

constexpr std::uint64_t burst_bytes_min = std::uint64_t{64} << 10;
constexpr std::uint64_t turn_bytes_min = std::uint64_t{4} << 10;
constexpr std::uint64_t turn_bytes_max = std::uint64_t{256} << 10;

// Who moves less than this is busy with names, not with contents: a listing of some hundred entries
// at once, and what somebody types or clicks.
constexpr std::uint64_t light_rate = std::uint64_t{32} << 10;
constexpr std::uint64_t light_burst = std::uint64_t{64} << 10;

std::uint64_t burst_bytes(std::uint64_t rate, Gate::Clock::duration burst) {
  const double bytes = static_cast<double>(rate) * std::chrono::duration<double>(burst).count();
  return std::max(static_cast<std::uint64_t>(bytes), burst_bytes_min);
}

/// 0 only of 0, which means no limit.
std::uint64_t half(std::uint64_t amount) { return (amount + 1) / 2; }

double& paid_at(Gate& gate, Lane& lane) {
  return &gate == &lane.user ? lane.paid_to_user : lane.paid_to_process;
}

bool ready(Gate& gate, Lane& lane, Gate::Clock::time_point now) {
  return paid_at(gate, lane) > 0 || gate.open(now);
}

std::size_t share(Gate& gate, Lane& lane) {
  if (!gate.tokens.limited()) return std::numeric_limits<std::size_t>::max();
  const double paid = paid_at(gate, lane);
  return paid > 0 ? static_cast<std::size_t>(paid) : gate.turn_bytes();
}

void pay(Gate& gate, Lane& lane, double bytes, Gate::Clock::time_point now) {
  double& paid = paid_at(gate, lane);
  const double before = std::min(paid, bytes);
  paid -= before;
  gate.tokens.take(bytes - before, now);
  if (lane.express) gate.express.take(bytes, now);
}

}  // namespace

Gate::Gate(std::uint64_t rate, Clock::duration burst, Clock::time_point now)
    : tokens(rate, burst_bytes(rate, burst), now),
      express(half(rate), half(burst_bytes(rate, burst)), now),
      limited_(rate > 0) {}

void Gate::change(std::uint64_t rate, Clock::duration burst, Clock::time_point now) {
  tokens.change(rate, burst_bytes(rate, burst), now);
  express.change(half(rate), half(burst_bytes(rate, burst)), now);
  limited_.store(rate > 0);
}

bool Gate::open(Clock::time_point now) {
  return !tokens.limited() || (waiting.empty() && tokens.positive(now));
}

std::size_t Gate::turn_bytes() const {
  return std::clamp(tokens.rate() / 16, turn_bytes_min, turn_bytes_max);
}

Lane::Lane(Gate& gate_of_user, Gate& gate_of_process, std::int64_t user_group,
           std::int64_t connection_group, TokenBucket::Clock::time_point now)
    : user(gate_of_user),
      process(gate_of_process),
      user_id(user_group),
      connection(connection_group),
      light(light_rate, light_burst, now) {}

std::size_t Schedule::allow(Lane& lane, std::size_t wanted, Clock::time_point now) {
  lane.express = false;
  Gate* closed = lane.waits_at;
  if (closed == nullptr && !ready(lane.user, lane, now)) closed = &lane.user;
  if (closed == nullptr && !ready(lane.process, lane, now)) closed = &lane.process;
  if (closed == nullptr) {
    return std::min({wanted, share(lane.user, lane), share(lane.process, lane)});
  }
  if (lane.light.positive(now) && lane.user.express.positive(now) &&
      lane.process.express.positive(now)) {
    lane.express = true;
    return std::min(wanted, static_cast<std::size_t>(lane.light.balance(now)) + 1);
  }
  if (lane.waits_at == nullptr) wait_at(*closed, lane);
  return 0;
}

void Schedule::moved(Lane& lane, std::size_t bytes, Clock::time_point now) {
  const auto count = static_cast<double>(bytes);
  pay(lane.user, lane, count, now);
  pay(lane.process, lane, count, now);
  lane.light.take(count, now, static_cast<double>(light_burst));
}

void Schedule::leave(Lane& lane, Clock::time_point now) {
  if (Gate* gate = lane.waits_at; gate != nullptr) {
    gate->waiting.remove(gate == &lane.user ? lane.connection : lane.user_id, &lane);
    if (gate->waiting.empty()) crowded_.erase(gate);
    lane.waits_at = nullptr;
  }
  lane.user.tokens.take(-lane.paid_to_user, now);
  lane.process.tokens.take(-lane.paid_to_process, now);
  lane.paid_to_user = lane.paid_to_process = 0;
}

void Schedule::wait_at(Gate& gate, Lane& lane) {
  gate.waiting.add(&gate == &lane.user ? lane.connection : lane.user_id, &lane);
  lane.waits_at = &gate;
  crowded_.insert(&gate);
}

void Schedule::serve(Clock::time_point now) {
  // Serving a user's gate may fill the process's: a copy.
  const std::vector<Gate*> gates(crowded_.begin(), crowded_.end());
  for (Gate* gate : gates) serve_gate(*gate, now);
}

void Schedule::serve_gate(Gate& gate, Clock::time_point now) {
  while (!gate.waiting.empty() && gate.tokens.positive(now)) {
    Lane& lane = *gate.waiting.next();
    lane.waits_at = nullptr;
    give_turn(gate, lane, now);
    if (&gate == &lane.process || ready(lane.process, lane, now)) {
      if (&gate == &lane.user && lane.paid_to_process <= 0) give_turn(lane.process, lane, now);
      lane.wake();
    } else {
      wait_at(lane.process, lane);
    }
  }
  if (gate.waiting.empty()) crowded_.erase(&gate);
}

/// Paid at once: what the next in the queue gets must not depend on when this one uses it.
void Schedule::give_turn(Gate& gate, Lane& lane, Clock::time_point now) {
  if (!gate.tokens.limited()) return;
  const auto bytes = static_cast<double>(gate.turn_bytes());
  gate.tokens.take(bytes, now);
  paid_at(gate, lane) += bytes;
}

std::optional<Schedule::Clock::duration> Schedule::next(Clock::time_point now) const {
  std::optional<Clock::duration> soonest;
  for (Gate* gate : crowded_) {
    const auto wait = gate->tokens.until_positive(now);
    soonest = soonest ? std::min(*soonest, wait) : wait;
  }
  return soonest;
}

}  // namespace sftpd::limits
