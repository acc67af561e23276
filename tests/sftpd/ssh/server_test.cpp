#include "sftpd/ssh/server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <string>
#include <system_error>
#include <vector>

#include "sftpd/ssh/listener.h"
#include "tests/sftpd/ssh/test_server.h"

namespace sftpd::ssh::testing {
namespace {

using ::testing::HasSubstr;

TEST(Server, StoppingEndsLiveConnectionsAndTheirPrograms) {
  TestServer server;
  server.programs().may_read = false;
  std::vector<std::future<ClientResult>> clients;
  for (const char* program : {"stall", "echo", "'source 1000000000'", "discard"}) {
    clients.push_back(std::async(std::launch::async, [&server, program] {
      return run(server.ssh(program) + " < <(head -c 5000000 /dev/zero; sleep 60) > >(sleep 60)");
    }));
  }
  ASSERT_TRUE(eventually([&] { return server.programs().alive == 4; }));
  server.stop();  // The test's time limit is what says that it ends.
  EXPECT_EQ(server.programs().alive, 0);
  EXPECT_EQ(server.server().connections(), 0);
  for (auto& client : clients) client.get();
}

TEST(Server, StoppingTwiceIsStoppingOnce) {
  TestServer server;
  server.stop();
  server.stop();
  EXPECT_NE(run(server.ssh("exit 0")).status, 0);
}

TEST(Server, AClientWithoutASignOfLifeIsGivenUp) {
  TestServer server([](ServerOptions& options) {
    options.keepalive_interval = std::chrono::milliseconds(300);
    options.keepalives_unanswered_max = 2;
  });
  // Stopped, it keeps its socket open and answers nothing.
  const std::string pid = (server.directory() / "pid").string();
  auto client = std::async(std::launch::async,
                           [&] { return run(server.exec_ssh("echo", pid) + " < <(sleep 60)"); });
  ASSERT_TRUE(eventually([&] { return server.programs().alive == 1; }));
  run("kill -STOP $(cat " + pid + ")");
  EXPECT_TRUE(eventually([&] { return server.server().connections() == 0; }));
  run("kill -KILL $(cat " + pid + ")");
  client.get();
}

TEST(Server, AnIdleClientThatLivesIsKept) {
  TestServer server([](ServerOptions& options) {
    options.keepalive_interval = std::chrono::milliseconds(100);
    options.keepalives_unanswered_max = 2;
  });
  EXPECT_EQ(run("sleep 2 | " + server.ssh("echo")).status, 0);
}

TEST(Server, AnIdleClientIsSentAwayWhereThatIsWanted) {
  TestServer server([](ServerOptions& options) {
    options.idle_timeout = std::chrono::milliseconds(500);
    options.keepalive_interval = std::chrono::milliseconds(100);
  });
  EXPECT_EQ(run(server.ssh("echo") + " < <(sleep 60)").status, 255);
}

TEST(Server, ListensOnIpv6AndBoth) {
  TestServer server([](ServerOptions& options) { options.listen = {"[::1]:0", "[::]:0"}; });
  const auto ports = server.server().ports();
  ASSERT_EQ(ports.size(), 2U);
  const auto on = [&](const std::string& host, std::uint16_t port) {
    return run(fmt::format("ssh -F none -o BatchMode=yes -o UserKnownHostsFile=/dev/null "
                           "-o StrictHostKeyChecking=no -o LogLevel=ERROR -i {} -p {} alice@{} who",
                           (server.directory() / "key").string(), port, host))
        .out;
  };
  EXPECT_EQ(on("::1", ports[0]), "alice ::1 exec\n");
  EXPECT_EQ(on("::1", ports[1]), "alice ::1 exec\n");
  EXPECT_EQ(on("127.0.0.1", ports[1]), "alice 127.0.0.1 exec\n");
}

TEST(Listener, TakesAddressesApart) {
  EXPECT_EQ(parse_listen_address("127.0.0.1:22").host, "127.0.0.1");
  EXPECT_EQ(parse_listen_address("[::1]:2022").host, "::1");
  EXPECT_EQ(parse_listen_address("[::1]:2022").port, "2022");
  EXPECT_EQ(parse_listen_address(":2022").host, "");
  for (const char* wrong : {"2022", "::1:2022", "host:", "host:70000", "host:ssh", ""}) {
    EXPECT_THROW(parse_listen_address(wrong), std::runtime_error) << wrong;
  }
}

TEST(Listener, AnAddressInUseIsAClearError) {
  const auto first = listen_on("127.0.0.1:0");
  try {
    listen_on(fmt::format("127.0.0.1:{}", first.at(0).port));
    FAIL();
  } catch (const std::runtime_error& failure) {
    EXPECT_THAT(failure.what(), HasSubstr("in use"));
  }
}

/// Else half of the clients would reach whoever has the other address.
TEST(Listener, OneAddressOfSeveralThatIsInUseIsAnErrorToo) {
  for (const char* taken : {"127.0.0.1:0", "[::1]:0"}) {
    std::vector<Listener> first;
    try {
      first = listen_on(taken);
    } catch (const std::system_error&) {
      continue;  // This machine has no IPv6.
    }
    const std::string all = fmt::format(":{}", first.at(0).port);
    EXPECT_THROW(listen_on(all), std::system_error) << taken;
    first.clear();
    EXPECT_FALSE(listen_on(all).empty());
  }
}

/// In a process of its own, where descriptor 3 is free.
[[noreturn]] void take_what_systemd_gave() {
  const auto made = listen_on("127.0.0.1:0");
  ::dup2(made.at(0).socket.number(), 3);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", "1", 1);
  const auto taken = take_systemd_sockets();
  const bool right = taken.size() == 1 && taken[0].socket.number() == 3 &&
                     taken[0].port == made[0].port && ::getenv("LISTEN_FDS") == nullptr &&
                     take_systemd_sockets().empty();
  ::_exit(right ? 0 : 1);
}

TEST(Listener, TakesSystemdsSocketsOnce) {
  EXPECT_EXIT(take_what_systemd_gave(), ::testing::ExitedWithCode(0), "");
}

TEST(Listener, SocketsForAnotherProcessAreNotOurs) {
  ::setenv("LISTEN_PID", "1", 1);
  ::setenv("LISTEN_FDS", "1", 1);
  EXPECT_TRUE(take_systemd_sockets().empty());
}

}  // namespace
}  // namespace sftpd::ssh::testing
