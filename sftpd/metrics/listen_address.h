#pragma once

#include <sys/socket.h>

#include <string>

namespace sftpd::metrics {

/// A numeric address and port.
struct ListenAddress {
  sockaddr_storage address{};
  socklen_t length = 0;
};

/// From "127.0.0.1:9090" or "[::1]:9090". Throws std::runtime_error.
ListenAddress parse_listen_address(const std::string& text);

/// errno of an attempt to listen there, which ends at once; 0: it can be done.
int try_to_listen(const ListenAddress& address);

/// Whether a Shoebox serves its metrics there. Waits for its answer, at most a few seconds.
bool is_served(const ListenAddress& address);

}  // namespace sftpd::metrics
