#include "sftpd/ssh/wake.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>

namespace sftpd::ssh {

Wake::Wake() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (descriptor_.number() < 0) throw std::runtime_error("no eventfd left");
}

void Wake::raise() noexcept {
  if (raised_.exchange(true)) return;
  const std::uint64_t one = 1;
  // It fails only when the counter is full, and then it is readable anyway.
  [[maybe_unused]] const auto written = ::write(descriptor_.number(), &one, sizeof one);
}

void Wake::lower() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = ::read(descriptor_.number(), &count, sizeof count);
  raised_.store(false);
}

void Wake::wait(int timeout_ms) const noexcept {
  pollfd waiting{descriptor_.number(), POLLIN, 0};
  ::poll(&waiting, 1, timeout_ms);
}

}  // namespace sftpd::ssh
