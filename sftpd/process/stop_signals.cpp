#include "sftpd/process/stop_signals.h"

#include <pthread.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>
#include <utility>

namespace sftpd::process {
namespace {

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

StopDeadline::StopDeadline(std::chrono::milliseconds limit, std::function<void()> force)
    : thread_([limit, force = std::move(force)](const std::stop_token& stop) {
        // In slices, since nothing else than a signal ends the wait of sigtimedwait().
        constexpr std::chrono::milliseconds slice{50};
        const sigset_t set = stop_set();
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!stop.stop_requested()) {
          const timespec time{0, std::chrono::nanoseconds(slice).count()};
          const int signal = ::sigtimedwait(&set, nullptr, &time);
          if (signal > 0 || std::chrono::steady_clock::now() >= end) return force();
        }
      }) {}

}  // namespace sftpd::process
