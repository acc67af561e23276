#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libssh/libssh.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <random>
#include <string>
#include <vector>

#include "sftpd/ssh/handles.h"
#include "tests/sftpd/ssh/test_server.h"

namespace sftpd::ssh::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A TCP connection without any SSH.
class RawPeer {
 public:
  explicit RawPeer(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  bool send(const std::string& bytes) {
    return ::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  /// Up to the end of the first line, or of the connection.
  std::string read_line() {
    std::string line;
    char c = 0;
    while (::recv(socket_.number(), &c, 1, 0) == 1) {
      line += c;
      if (c == '\n') break;
    }
    return line;
  }
  /// Until the server closes.
  std::string read_all() {
    std::string all;
    char buffer[4096];
    ssize_t count = 0;
    while ((count = ::recv(socket_.number(), buffer, sizeof buffer, 0)) > 0) {
      all.append(buffer, static_cast<std::size_t>(count));
    }
    return all;
  }

 private:
  FileDescriptor socket_;
};

TEST(HostilePeers, TheBannerIsOurs) {
  TestServer server;
  EXPECT_EQ(RawPeer(server.port()).read_line(), "SSH-2.0-Shoebox_0.1\r\n");
}

TEST(HostilePeers, GarbageEndsItsConnectionAndNoOther) {
  TestServer server;
  auto busy = std::async(std::launch::async,
                         [&] { return run(server.ssh("source 30000000") + " | wc -c"); });
  std::mt19937 random(42);  // NOLINT: the same garbage each time
  for (int i = 0; i < 20; ++i) {
    RawPeer peer(server.port());
    std::string garbage = i % 2 == 0 ? "" : "SSH-2.0-Garbage\r\n";
    for (int byte = 0; byte < 5000; ++byte) garbage += static_cast<char>(random());
    peer.send(garbage);
    peer.read_all();
  }
  { RawPeer scan(server.port()); }  // a port scan
  EXPECT_EQ(busy.get().out, "30000000\n");
  EXPECT_EQ(run(server.ssh("exit 0")).status, 0);
  EXPECT_TRUE(eventually([&] { return server.server().connections() == 0; }));
}

TEST(HostilePeers, HttpIsNotSsh) {
  TestServer server;
  RawPeer peer(server.port());
  peer.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  // It is sent away at once, with our banner or, if it was faster, without.
  EXPECT_THAT(peer.read_all(),
              ::testing::AnyOf(::testing::IsEmpty(), StartsWith("SSH-2.0-Shoebox")));
  EXPECT_EQ(run(server.ssh("exit 0")).status, 0);
}

TEST(HostilePeers, WhoDoesNotLogInIsSentAwayAtTheDeadline) {
  TestServer server(
      [](ServerOptions& options) { options.login_deadline = std::chrono::milliseconds(1500); });
  RawPeer silent(server.port());
  RawPeer half_way(server.port());
  half_way.send("SSH-2.0-Half\r\n");
  RawPeer slow(server.port());
  auto dripping = std::async(std::launch::async, [&] {
    while (slow.send("S")) usleep(50'000);
  });
  silent.read_all();
  half_way.read_all();
  slow.read_all();
  dripping.get();
  EXPECT_TRUE(eventually([&] { return server.server().connections() == 0; }));
}

TEST(HostilePeers, WhoDoesNotLogInTakesNoPlaceOfOthers) {
  TestServer server([](ServerOptions& options) {
    options.unauthenticated_max = 5;
    options.unauthenticated_per_network_max = 5;
  });
  // Somebody who is logged in does not count.
  auto busy =
      std::async(std::launch::async, [&] { return run("sleep 1 | " + server.ssh("echo")); });
  ASSERT_TRUE(eventually([&] { return server.programs().alive == 1; }));
  std::vector<std::unique_ptr<RawPeer>> peers;
  for (int i = 0; i < 5; ++i) {
    peers.push_back(std::make_unique<RawPeer>(server.port()));
    EXPECT_THAT(peers.back()->read_line(), StartsWith("SSH-2.0-"));
  }
  RawPeer one_too_many(server.port());
  EXPECT_THAT(one_too_many.read_all(), StartsWith("Too many connections"));
  peers.clear();
  EXPECT_TRUE(eventually(
      [&] { return RawPeer(server.port()).read_line().find("SSH-2.0-") != std::string::npos; }));
  EXPECT_EQ(busy.get().status, 0);
}

/// libssh 0.10 takes whatever comes; we do not. 0.11 drops it.
TEST(HostilePeers, WhoIgnoresTheWindowIsSentAway) {
  TestServer server([](ServerOptions& options) { options.window_base_bytes = 1'000'000; });
  server.programs().may_read = false;
  const auto told = run(fmt::format(R"(timeout 100 /usr/bin/python3 - <<'END'
import paramiko
t = paramiko.Transport(('127.0.0.1', {}))
t.connect(username='alice', password='correct horse')
c = t.open_session()
c.exec_command('stall')
c.recv(8)
sent = 0
try:
    while sent < 100_000_000:
        c.out_window_size = 1 << 30
        sent += c.send(b'x' * 32768)
except Exception as e:
    pass
t.join(30)
print(sent, t.is_active())
END
)",
                                    server.port()));
  if (ssh_version(SSH_VERSION_INT(0, 11, 0)) == nullptr) {
    EXPECT_LT(std::stoll(told.out), 40'000'000) << told.err;
    EXPECT_THAT(told.out, HasSubstr("False"));
  }
  server.programs().may_read = true;
  server.programs().wake_stalled();
  EXPECT_TRUE(eventually([&] { return server.programs().alive == 0; }));
  EXPECT_LT(server.programs().read, 4'000'000U);
}

}  // namespace
}  // namespace sftpd::ssh::testing
