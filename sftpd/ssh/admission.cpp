#include "sftpd/ssh/admission.h"

#include <utility>

#include "sftpd/auth/login_throttle.h"

namespace sftpd::ssh {

Admission::Ticket::Ticket(Admission& admission, std::string network)
    : admission_(&admission), network_(std::move(network)) {}

Admission::Ticket::Ticket(Ticket&& other) noexcept
    : admission_(std::exchange(other.admission_, nullptr)),
      network_(std::move(other.network_)),
      unauthenticated_(other.unauthenticated_) {}

Admission::Ticket::~Ticket() {
  if (admission_ == nullptr) return;
  logged_in();
  std::lock_guard lock(admission_->mutex_);
  --admission_->connections_;
}

void Admission::Ticket::logged_in() {
  if (!std::exchange(unauthenticated_, false)) return;
  admission_->leave_unauthenticated(network_);
}

std::optional<Admission::Ticket> Admission::admit(const std::string& address) {
  std::string network = auth::network_of(address);
  std::lock_guard lock(mutex_);
  if (connections_ >= limits_.connections_max) return std::nullopt;
  if (unauthenticated_ >= limits_.unauthenticated_max) return std::nullopt;
  const auto found = unauthenticated_by_network_.find(network);
  if (found != unauthenticated_by_network_.end() &&
      found->second >= limits_.unauthenticated_per_network_max) {
    return std::nullopt;
  }
  ++connections_;
  ++unauthenticated_;
  ++unauthenticated_by_network_[network];
  return Ticket(*this, std::move(network));
}

int Admission::connections() const {
  std::lock_guard lock(mutex_);
  return connections_;
}

void Admission::leave_unauthenticated(const std::string& network) {
  std::lock_guard lock(mutex_);
  --unauthenticated_;
  const auto found = unauthenticated_by_network_.find(network);
  if (--found->second == 0) unauthenticated_by_network_.erase(found);
}

}  // namespace sftpd::ssh
