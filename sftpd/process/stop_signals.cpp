#include "sftpd/process/stop_signals.h"

#include <pthread.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>
#include <utility>

namespace sftpd::process {
namespace {

using std::chrono::steady_clock;

sigset_t stop_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

sigset_t set_of(StopSignals::Hangups hangups) {
  sigset_t set = stop_set();
  if (hangups == StopSignals::Hangups::awaited) sigaddset(&set, SIGHUP);
  return set;
}

/// SIGINT or SIGTERM; 0 if neither came before `end`, or before a stop was requested.
int next_signal(const std::stop_token& stop, steady_clock::time_point end) {
  // In slices, since nothing else than a signal ends the wait of sigtimedwait().
  constexpr std::chrono::milliseconds slice{50};
  const sigset_t set = stop_set();
  while (!stop.stop_requested() && steady_clock::now() < end) {
    const timespec time{0, std::chrono::nanoseconds(slice).count()};
    const int signal = ::sigtimedwait(&set, nullptr, &time);
    if (signal > 0) return signal;
  }
  return 0;
}

}  // namespace

StopSignals::StopSignals(Hangups hangups) : hangups_(hangups) {
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = set_of(hangups_);
  const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  if (error != 0) throw std::system_error(error, std::generic_category(), "pthread_sigmask");
}

int StopSignals::wait() {
  const sigset_t set = set_of(hangups_);
  while (true) {
    const int signal = ::sigwaitinfo(&set, nullptr);
    if (signal > 0) return signal;
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "sigwaitinfo");
  }
}

StartSignals::StartSignals(std::chrono::milliseconds limit, std::function<void()> force)
    : thread_([this, limit, force = std::move(force)](const std::stop_token& started) {
        signal_ = next_signal(started, steady_clock::time_point::max());
        if (signal_ == 0) return;
        stopping_.request_stop();
        next_signal(started, steady_clock::now() + limit);
        if (!started.stop_requested()) force();
      }) {}

int StartSignals::finish() {
  thread_.request_stop();
  thread_.join();
  return signal_;
}

StopDeadline::StopDeadline(std::chrono::milliseconds limit, std::function<void()> force)
    : thread_([limit, force = std::move(force)](const std::stop_token& stop) {
        next_signal(stop, steady_clock::now() + limit);
        if (!stop.stop_requested()) force();
      }) {}

}  // namespace sftpd::process
