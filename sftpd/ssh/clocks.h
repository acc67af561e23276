#pragma once

#include <chrono>
#include <cstdint>

namespace sftpd::ssh {

// What may take too long on a connection. Each clock is told the time and what the counters say,
// touches nothing, and belongs to its connection's thread, which looks at it whenever something
// happens and every few seconds. A length of 0 means never.

/// A silent client is asked for a sign of life, and given up in the end. Any byte is such a sign.
class SilenceClock {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class Verdict { alive, to_ask, gone };

  SilenceClock(std::chrono::milliseconds interval, int unanswered_max)
      : interval_(interval), unanswered_max_(unanswered_max) {}

  /// As if the client had spoken: nobody listened.
  void restart(Time now) { heard_ = now; }
  /// `bytes_in` are those received so far. `to_ask` once for each interval of silence.
  Verdict look(std::uint64_t bytes_in, Time now);

 private:
  const std::chrono::milliseconds interval_;
  const int unanswered_max_;
  std::uint64_t bytes_in_seen_ = 0;
  Time heard_{};
  Time asked_{};
};

/// A connection on which nothing moves ends.
class IdleClock {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit IdleClock(std::chrono::milliseconds timeout) : timeout_(timeout) {}

  void restart(Time now) { active_ = now; }
  /// Whether it is over. `bytes_moved` are those of all channels; what is held back by a rate is
  /// not idle.
  bool look(std::uint64_t bytes_moved, bool held_back, Time now);

 private:
  const std::chrono::milliseconds timeout_;
  std::uint64_t moved_seen_ = 0;
  Time active_{};
};

/// libssh answers nothing to a publickey request with a key it cannot read, a signature that is
/// wrong or one with SHA-1; the client would wait until the deadline. Such a packet shows only in
/// the counters: it came in, no callback was called, and nothing went out.
class UnansweredClock {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// A client that has been silent for so long behind such a request waits for it in vain.
  static constexpr std::chrono::milliseconds patience{2000};

  /// Of the whole connection, so far.
  struct Counts {
    std::uint64_t bytes_in = 0;  ///< of packets
    std::uint64_t packets_out = 0;
    std::uint64_t requests = 0;  ///< that reached a callback
  };
  /// Whether it waits in vain. `begun`: the key exchange is over.
  bool look(const Counts& counts, bool begun, Time now);
  bool is_running() const { return since_ != Time{}; }

 private:
  Counts seen_;
  Time since_{};
};

}  // namespace sftpd::ssh
