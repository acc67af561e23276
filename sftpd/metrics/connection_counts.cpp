#include "sftpd/metrics/connection_counts.h"

namespace sftpd::metrics {

void ConnectionCounts::connection_opened() {
  open.add(1);
  opened.add();
}

void ConnectionCounts::bytes_moved(std::uint64_t in, std::uint64_t out) {
  received_bytes.add(in);
  sent_bytes.add(out);
}

void ConnectionCounts::login_succeeded(const char* /*method*/) {
  logged_in.add(1);
  logins[static_cast<std::size_t>(auth::Refusal::none)].add();
}

void ConnectionCounts::login_refused(const char* /*method*/, auth::Refusal reason) {
  logins[static_cast<std::size_t>(reason)].add();
}

}  // namespace sftpd::metrics
