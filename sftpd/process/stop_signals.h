#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <stop_token>
#include <thread>

namespace sftpd::process {

/// SIGINT and SIGTERM, and SIGHUP if asked for, as something to wait for. Made in the main thread
/// before any other thread begins, since threads inherit that the signals are blocked. SIGPIPE is
/// ignored from then on: sockets say the same by EPIPE.
class StopSignals {
 public:
  /// Without `hangups`, SIGHUP does what it did before: a closed terminal ends the program.
  enum class Hangups { untouched, awaited };
  explicit StopSignals(Hangups hangups = Hangups::untouched);
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Waits for the next one and returns its number.
  int wait();

 private:
  const Hangups hangups_;
};

/// SIGINT and SIGTERM while a program starts, with the signals blocked by StopSignals. The first
/// one requests a stop, so that whoever waits for something gives up. If the program has not ended
/// `limit` later, or another signal comes, `force` is called, on another thread.
class StartSignals {
 public:
  StartSignals(std::chrono::milliseconds limit, std::function<void()> force);
  ~StartSignals() = default;
  StartSignals(const StartSignals&) = delete;
  StartSignals& operator=(const StartSignals&) = delete;

  std::stop_token token() const { return stopping_.get_token(); }
  /// The one that came; 0 if none did.
  int signal() const { return signal_; }
  /// The program has started: leaves signals to StopSignals. Returns the one that came before, or
  /// 0.
  int finish();

 private:
  std::atomic<int> signal_ = 0;
  std::stop_source stopping_;
  std::jthread thread_;
};

/// While it lives, calls `force` once when `limit` is over or another SIGINT or SIGTERM comes: an
/// orderly end was asked for and takes too long. `force` runs on another thread.
class StopDeadline {
 public:
  StopDeadline(std::chrono::milliseconds limit, std::function<void()> force);
  ~StopDeadline() = default;
  StopDeadline(const StopDeadline&) = delete;
  StopDeadline& operator=(const StopDeadline&) = delete;

 private:
  std::jthread thread_;
};

}  // namespace sftpd::process
