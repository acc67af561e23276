#include "sftpd/ssh/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace sftpd::ssh {
namespace {

/// Enough for a burst of clients that reconnect at once; the kernel caps it (net.core.somaxconn).
constexpr int backlog = 1024;
constexpr int systemd_first_descriptor = 3;  // SD_LISTEN_FDS_START
constexpr int systemd_descriptors_max = 64;

[[noreturn]] void fail(const std::string& address, const std::string& reason) {
  throw std::runtime_error(fmt::format("cannot listen on {}: {}", address, reason));
}

std::uint16_t port_of(int socket) {
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &length) != 0) return 0;
  if (name.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&name)->sin_port);
  }
  if (name.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&name)->sin6_port);
  }
  return 0;
}

/// No socket and errno if this address cannot be had. "[::]" serves IPv4 too, unless IPv4 has a
/// socket of its own.
FileDescriptor listening_socket(const addrinfo& address, bool ipv6_only) {
  FileDescriptor made(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (made.number() < 0) return made;
  const int on = 1;
  ::setsockopt(made.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.ai_family == AF_INET6) {
    const int only = ipv6_only ? 1 : 0;
    ::setsockopt(made.number(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  }
  if (::bind(made.number(), address.ai_addr, address.ai_addrlen) != 0 ||
      ::listen(made.number(), backlog) != 0) {
    return {};
  }
  return made;
}

/// An address of a kind that this machine does not have, such as ::1 where IPv6 is turned off.
bool is_absent(int failure) { return failure == EAFNOSUPPORT || failure == EADDRNOTAVAIL; }

/// /etc/hosts may give a name the same address twice.
bool came_before(const addrinfo* first, const addrinfo& address) {
  for (; first != &address; first = first->ai_next) {
    if (first->ai_addrlen == address.ai_addrlen &&
        std::memcmp(first->ai_addr, address.ai_addr, address.ai_addrlen) == 0) {
      return true;
    }
  }
  return false;
}

int descriptors_from_systemd() {
  const char* process = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (process == nullptr || count == nullptr || std::to_string(::getpid()) != process) return 0;
  return static_cast<int>(
      std::clamp(std::strtol(count, nullptr, 10), 0L, long{systemd_descriptors_max}));
}

}  // namespace

ListenAddress parse_listen_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) fail(text, "a port is missing (host:port)");
  std::string host = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    fail(text, "an IPv6 address stands in brackets ([::1]:2022)");
  }
  const bool digits =
      !port.empty() && port.size() <= 5 &&
      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || std::stoi(port) > 65'535) fail(text, "the port is a number from 0 to 65535");
  return {host, port};
}

AddressList resolve(const std::string& text) {
  const ListenAddress address = parse_listen_address(text);
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const char* host = address.host.empty() ? nullptr : address.host.c_str();
  const int failure = ::getaddrinfo(host, address.port.c_str(), &wanted, &found);
  if (failure != 0) fail(text, ::gai_strerror(failure));
  return AddressList(found);
}

std::vector<Listener> listen_on(const std::string& text) {
  const AddressList addresses = resolve(text);
  const bool ipv6_only = parse_listen_address(text).host != "::";
  std::vector<Listener> listeners;
  int failure = 0;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    if (came_before(addresses.get(), *address)) continue;
    FileDescriptor socket = listening_socket(*address, ipv6_only);
    if (socket.number() < 0) {
      failure = errno;
      if (is_absent(failure)) continue;
      // Clients try one address after the other: half of them would reach somebody else.
      throw std::system_error(failure, std::generic_category(), "cannot listen on " + text);
    }
    const std::uint16_t port = port_of(socket.number());
    listeners.push_back({std::move(socket), text, port});
    // A port that the system chose would be another one on the next address.
    if (parse_listen_address(text).port == "0") break;
  }
  if (listeners.empty()) {
    throw std::system_error(failure, std::generic_category(), "cannot listen on " + text);
  }
  return listeners;
}

std::vector<Listener> take_systemd_sockets() {
  std::vector<Listener> listeners;
  const int count = descriptors_from_systemd();
  for (int i = 0; i < count; ++i) {
    FileDescriptor socket(systemd_first_descriptor + i);
    ::fcntl(socket.number(), F_SETFD, FD_CLOEXEC);
    ::fcntl(socket.number(), F_SETFL, O_NONBLOCK);
    int listening = 0;
    socklen_t length = sizeof listening;
    if (::getsockopt(socket.number(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0 ||
        listening == 0) {
      fail("systemd", fmt::format("descriptor {} is no listening socket", socket.number()));
    }
    const std::uint16_t port = port_of(socket.number());
    listeners.push_back({std::move(socket), "systemd", port});
  }
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_FDNAMES");
  return listeners;
}

}  // namespace sftpd::ssh
