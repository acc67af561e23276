#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>

#include "sftpd/limits/token_bucket.h"
#include "sftpd/limits/turns.h"

/// Who may move bytes now: the rules of Bandwidth without its lock, thread and clock.
namespace sftpd::limits {

struct Lane;

/// The tokens of a user or of the process in one direction, and who waits for them.
class Gate {
 public:
  using Clock = TokenBucket::Clock;

  Gate(std::uint64_t rate, Clock::duration burst, Clock::time_point now);
  void change(std::uint64_t rate, Clock::duration burst, Clock::time_point now);

  /// From any thread, without the lock.
  bool limited() const { return limited_.load(std::memory_order_relaxed); }
  /// Nobody waits, and there are tokens.
  bool open(Clock::time_point now);
  /// What one turn brings: a sixteenth of a second, 4 to 256 KiB.
  std::size_t turn_bytes() const;

  TokenBucket tokens;
  TokenBucket express;  ///< what those who move little may take without waiting: half of the rate
  Turns<Lane*> waiting;

 private:
  std::atomic<bool> limited_;
};

/// One direction of one channel. Its bytes pass two gates, and it pays at both.
struct Lane {
  Lane(Gate& gate_of_user, Gate& gate_of_process, std::int64_t user_group,
       std::int64_t connection_group, TokenBucket::Clock::time_point now);

  Gate& user;
  Gate& process;
  const std::int64_t user_id;
  const std::int64_t connection;
  std::function<void()> wake;  ///< its turn has come

  TokenBucket light;  ///< not empty: it has moved little lately
  double paid_to_user = 0;
  double paid_to_process = 0;  ///< turns that it was given and has not used
  std::atomic<Gate*> waits_at{nullptr};
  bool express = false;  ///< the last allow() let it pass those who wait
};

/// Not thread-safe. Gates and lanes belong to the caller.
class Schedule {
 public:
  using Clock = TokenBucket::Clock;

  /// As Flow::allow() and moved().
  std::size_t allow(Lane& lane, std::size_t wanted, Clock::time_point now);
  void moved(Lane& lane, std::size_t bytes, Clock::time_point now);
  /// It ends: waits no more, and gives back what it has not used.
  void leave(Lane& lane, Clock::time_point now);

  /// Gives turns to those who wait, as far as there are tokens, and wakes them.
  void serve(Clock::time_point now);
  /// When to serve() again; nothing while nobody waits.
  std::optional<Clock::duration> next(Clock::time_point now) const;

 private:
  void wait_at(Gate& gate, Lane& lane);
  void serve_gate(Gate& gate, Clock::time_point now);
  void give_turn(Gate& gate, Lane& lane, Clock::time_point now);

  std::set<Gate*> crowded_;  ///< where somebody waits
};

}  // namespace sftpd::limits
