#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sftpd/metrics/sources.h"

namespace sftpd::metrics {

/// Serves the metrics over HTTP, at /metrics. Reads them when somebody asks, on its own threads.
class Endpoint {
 public:
  /// `listen` is "IPV4:PORT" or "[IPV6]:PORT", numeric; port 0 picks a free one. Throws
  /// std::runtime_error that says why it cannot be listened on.
  Endpoint(const std::string& listen, Sources sources);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  std::uint16_t port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// For `shoebox check`: what would become of listening there, in a few words; also that a Shoebox
/// is there already. Throws std::runtime_error if it cannot be listened on.
std::string check_listen(const std::string& listen);

}  // namespace sftpd::metrics
