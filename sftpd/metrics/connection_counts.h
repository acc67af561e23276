#pragma once

#include <array>

#include "sftpd/counters.h"
#include "sftpd/ssh/server.h"

namespace sftpd::metrics {

/// Counts what the SSH server tells. Safe from any thread.
class ConnectionCounts final : public ssh::ServerObserver {
 public:
  void connection_opened() override;
  void connection_closed() override { open.add(-1); }
  void connection_refused() override { refused.add(); }
  void bytes_moved(std::uint64_t in, std::uint64_t out) override;
  void login_succeeded(const char* method) override;
  void logged_out() override { logged_in.add(-1); }
  void login_refused(const char* method, auth::Refusal reason) override;

  Gauge open;
  Gauge logged_in;
  Counter opened;
  Counter refused;  ///< there were too many
  Counter received_bytes;
  Counter sent_bytes;
  /// By the number of auth::Refusal; none: let in.
  std::array<Counter, static_cast<std::size_t>(auth::Refusal::unavailable) + 1> logins;
};

}  // namespace sftpd::metrics
