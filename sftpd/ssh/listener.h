#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sftpd/ssh/handles.h"

namespace sftpd::ssh {

/// A listening TCP socket.
struct Listener {
  FileDescriptor socket;
  std::string address;  ///< as configured, or "systemd"
  std::uint16_t port = 0;
};

struct ListenAddress {
  std::string host;  ///< empty: all
  std::string port;
};
/// Takes "host:port", "[ipv6]:port" and ":port" apart. Throws std::runtime_error.
ListenAddress parse_listen_address(const std::string& text);

/// Sockets on every address that `text` names; "localhost:2022" may be two. Throws
/// std::runtime_error if none can be bound.
std::vector<Listener> listen_on(const std::string& text);

/// The sockets systemd passed (sd_listen_fds(3)), once: the environment is cleared, so that no
/// child takes them for its own. Call before there are other threads.
std::vector<Listener> take_systemd_sockets();

}  // namespace sftpd::ssh
