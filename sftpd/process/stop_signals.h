#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace sftpd::process {

/// SIGINT and SIGTERM as something to wait for. Made in the main thread before any other thread
/// begins, since threads inherit that the signals are blocked. SIGPIPE is ignored from then on:
/// sockets say the same by EPIPE.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Waits for the first one and returns its number.
  int wait();
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
