#pragma once

#include <netdb.h>

#include <cstdint>
#include <memory>
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

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, FreeAddresses>;
/// Every address that `text` names. Throws std::runtime_error.
AddressList resolve(const std::string& text);

/// Sockets on every address that `text` names and this machine has; "localhost:2022" may be two.
/// Throws std::runtime_error, and std::system_error (which is one) if one of them cannot be bound
/// or there is none.
std::vector<Listener> listen_on(const std::string& text);

/// The sockets systemd passed (sd_listen_fds(3)), once: the environment is cleared, so that no
/// child takes them for its own. Call before there are other threads.
std::vector<Listener> take_systemd_sockets();

}  // namespace sftpd::ssh
