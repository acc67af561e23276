#include "sftpd/metrics/listen_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <string_view>

namespace sftpd::metrics {
namespace {

class Socket {
 public:
  explicit Socket(int family) : number_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (number_ >= 0) ::close(number_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

std::uint16_t parse_port(const std::string& text) {
  const bool digits =
      !text.empty() && text.size() <= 5 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  const int port = digits ? std::stoi(text) : -1;
  if (port < 0 || port > 65'535) {
    throw std::runtime_error(fmt::format("'{}' is no port: a number from 0 to 65535", text));
  }
  return static_cast<std::uint16_t>(port);
}

const sockaddr* generic(const ListenAddress& address) {
  return reinterpret_cast<const sockaddr*>(&address.address);
}

}  // namespace

ListenAddress parse_listen_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) {
    throw std::runtime_error("a port is missing (127.0.0.1:9090)");
  }
  const std::string host = text.substr(0, colon);
  const std::uint16_t port = htons(parse_port(text.substr(colon + 1)));
  ListenAddress parsed;
  auto& four = reinterpret_cast<sockaddr_in&>(parsed.address);
  auto& six = reinterpret_cast<sockaddr_in6&>(parsed.address);
  if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = port;
    parsed.length = sizeof four;
    return parsed;
  }
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const std::string inner = bracketed ? host.substr(1, host.size() - 2) : "";
  if (::inet_pton(AF_INET6, inner.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = port;
    parsed.length = sizeof six;
    return parsed;
  }
  throw std::runtime_error(
      fmt::format("'{}' is no numeric address (127.0.0.1, 0.0.0.0, [::1])", host));
}

int try_to_listen(const ListenAddress& address) {
  const Socket socket(address.address.ss_family);
  const int on = 1;
  if (socket.number() < 0) return errno;
  // As the server does it, lest connections that ended a minute ago are in the way.
  ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.number(), generic(address), address.length) != 0) return errno;
  return ::listen(socket.number(), 1) == 0 ? 0 : errno;
}

bool is_served(const ListenAddress& address) {
  const Socket socket(address.address.ss_family);
  const timeval wait_max{.tv_sec = 2, .tv_usec = 0};
  ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &wait_max, sizeof wait_max);
  ::setsockopt(socket.number(), SOL_SOCKET, SO_SNDTIMEO, &wait_max, sizeof wait_max);
  if (::connect(socket.number(), generic(address), address.length) != 0) return false;
  constexpr std::string_view request = "GET /metrics HTTP/1.0\r\n\r\n";
  if (::send(socket.number(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return false;
  constexpr std::size_t answer_max = std::size_t{1} << 20;
  std::string answer;
  std::array<char, 16384> piece{};
  while (answer.size() < answer_max) {
    const ssize_t count = ::recv(socket.number(), piece.data(), piece.size(), 0);
    if (count <= 0) break;
    answer.append(piece.data(), static_cast<std::size_t>(count));
  }
  return answer.find("shoebox_build_info{") != std::string::npos;
}

}  // namespace sftpd::metrics
