#include "sftpd/ssh/waiting_room.h"

#include <algorithm>

namespace sftpd::ssh {
namespace {

/// Each connection has so much without asking: programs go on with it while more is fetched.
constexpr std::size_t free_of_charge = std::size_t{64} << 10;
constexpr std::size_t step = std::size_t{256} << 10;

}  // namespace

bool WaitingRoom::Place::fit(std::size_t now, std::size_t most) {
  const std::size_t bytes = std::max(now, most);
  const bool enough = take(bytes <= free_of_charge ? 0 : (bytes + step - 1) / step * step);
  return enough || now <= free_of_charge;
}

/// False if there is not so much: then nothing changes.
bool WaitingRoom::Place::take(std::size_t wanted) {
  if (wanted == taken_) return true;
  std::lock_guard lock(room_.mutex_);
  if (wanted > taken_ && wanted - taken_ > room_.capacity_ - room_.used_) return false;
  room_.used_ += wanted;
  room_.used_ -= taken_;
  taken_ = wanted;
  return true;
}

}  // namespace sftpd::ssh
