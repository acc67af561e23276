#include "sftpd/ssh/address_check.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "sftpd/ssh/listener.h"
#include "sftpd/ssh/server.h"

namespace sftpd::ssh {
namespace {

bool ready(int socket, short events, std::chrono::milliseconds patience) {
  pollfd waiting{.fd = socket, .events = events, .revents = 0};
  return ::poll(&waiting, 1, static_cast<int>(patience.count())) == 1;
}

FileDescriptor connect_to(const addrinfo& address, std::chrono::milliseconds patience) {
  FileDescriptor socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.number() < 0) return socket;
  if (::connect(socket.number(), address.ai_addr, address.ai_addrlen) == 0) return socket;
  if (errno != EINPROGRESS || !ready(socket.number(), POLLOUT, patience)) return {};
  return socket;
}

/// The first bytes that whoever listens on the address says by itself.
std::string greeting(const addrinfo& address, std::chrono::milliseconds patience) {
  const FileDescriptor socket = connect_to(address, patience);
  if (socket.number() < 0 || !ready(socket.number(), POLLIN, patience)) return {};
  std::array<char, 255> bytes{};  // RFC 4253, 4.2: a banner is no longer.
  const ssize_t length = ::recv(socket.number(), bytes.data(), bytes.size(), 0);
  return length > 0 ? std::string(bytes.data(), static_cast<std::size_t>(length)) : std::string();
}

bool shoebox_listens(const std::string& text, std::chrono::milliseconds patience) {
  const std::string banner = "SSH-2.0-" + ServerOptions().version_banner;
  const AddressList addresses = resolve(text);
  for (const addrinfo* each = addresses.get(); each != nullptr; each = each->ai_next) {
    if (greeting(*each, patience).starts_with(banner)) return true;
  }
  return false;
}

const char* remedy(const std::error_code& reason) {
  if (reason == std::errc::address_in_use) {
    return "another program has the port: stop that one, or choose another port for 'listen'";
  }
  if (reason == std::errc::address_not_available) {
    return "this machine does not have the address: see `ip address`, or listen on 0.0.0.0";
  }
  if (reason == std::errc::permission_denied) {
    return "ports below 1024 need CAP_NET_BIND_SERVICE, which the systemd unit has";
  }
  return "name another address for 'listen'";
}

}  // namespace

std::string try_address(const std::string& text, std::chrono::milliseconds patience) {
  try {
    listen_on(text);
    return "free";
  } catch (const std::system_error& failure) {
    if (failure.code() == std::errc::address_in_use && shoebox_listens(text, patience)) {
      return "Shoebox runs there";
    }
    throw std::runtime_error(fmt::format("{}: {}", failure.what(), remedy(failure.code())));
  }
}

}  // namespace sftpd::ssh
