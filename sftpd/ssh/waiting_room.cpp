#include "sftpd/ssh/waiting_room.h"

namespace sftpd::ssh {
namespace {

/// Each connection has so much without asking: programs go on with it while more is fetched.
constexpr std::size_t free_of_charge = std::size_t{128} << 10;
constexpr std::size_t step = std::size_t{256} << 10;

}  // namespace

bool WaitingRoom::Place::fit(std::size_t bytes) {
  const std::size_t wanted = bytes <= free_of_charge ? 0 : (bytes + step - 1) / step * step;
  if (wanted == taken_) return true;
  std::lock_guard lock(room_.mutex_);
  if (wanted > taken_ && wanted - taken_ > room_.capacity_ - room_.used_) return false;
  room_.used_ += wanted;
  room_.used_ -= taken_;
  taken_ = wanted;
  return true;
}

}  // namespace sftpd::ssh
