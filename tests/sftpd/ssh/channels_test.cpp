#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <future>
#include <thread>
#include <vector>

#include "tests/sftpd/ssh/test_server.h"

namespace sftpd::ssh::testing {
namespace {

using ::testing::HasSubstr;

struct BytesOfSockets : ServerObserver {
  void bytes_moved(std::uint64_t received, std::uint64_t) override { in += received; }
  std::atomic<std::uint64_t> in{0};
};

TEST(Channels, ExitStatusAndErrorOutputReachTheClient) {
  TestServer server;
  const auto ended = run(server.ssh("exit 42"));
  EXPECT_EQ(ended.status, 42);
  EXPECT_EQ(ended.err, "to standard error\n");
}

TEST(Channels, ASubsystemIsNoCommand) {
  TestServer server;
  EXPECT_EQ(run(server.ssh("who", "-s")).out, "alice 127.0.0.1 subsystem\n");
}

TEST(Channels, AnUnknownRequestIsRefused) {
  TestServer server;
  EXPECT_THAT(run(server.ssh("no-such-thing", "-s")).err, HasSubstr("subsystem request failed"));
  EXPECT_NE(run(server.ssh("no-such-thing")).status, 0);
  EXPECT_NE(run(server.ssh("break")).status, 0);  // the factory throws
}

TEST(Channels, AShellIsRefusedWithAReason) {
  TestServer server;
  const auto refused = run(server.ssh("", "-T"));
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("This service allows sftp connections only."));
  EXPECT_THAT(run(server.ssh("", "-tt")).err, HasSubstr("PTY allocation request failed"));
}

TEST(Channels, AProgramThatThrowsEndsItsChannelOnly) {
  TestServer server;
  EXPECT_EQ(run(server.ssh("throw")).status, 70);
  EXPECT_EQ(run(server.ssh("exit 0")).status, 0);
}

TEST(Channels, EnvironmentVariablesAreIgnored) {
  TestServer server;
  EXPECT_EQ(run("LC_ALL=C " + server.ssh("exit 3", "-o SendEnv=LC_ALL")).status, 3);
}

TEST(Channels, ForwardingIsRefused) {
  TestServer server;
  const auto refused = run(server.ssh("exit 0", "-o ExitOnForwardFailure=yes -R 0:127.0.0.1:1"));
  EXPECT_EQ(refused.status, 255);
  EXPECT_THAT(run(server.ssh("", "-W 127.0.0.1:1")).err, HasSubstr("forwarding failed"));
}

TEST(Channels, ALateAnswerWakesTheConnection) {
  TestServer server;
  const auto told = run(server.ssh("late"));
  EXPECT_EQ(told.status, 0);
  EXPECT_EQ(told.out.size(), 500U);
}

TEST(Channels, ClientsKeepAlivesAreAnswered) {
  TestServer server;
  // ssh would end by itself after two unanswered ones.
  const auto alive =
      run("sleep 4 | " + server.ssh("echo", "-o ServerAliveInterval=1 -o ServerAliveCountMax=2"));
  EXPECT_EQ(alive.status, 0) << alive.err;
}

/// Ten channels on one connection; one of them reads nothing.
TEST(Channels, AStalledChannelHoldsUpNoOther) {
  TestServer server;
  server.programs().may_read = false;
  const std::string socket = (server.directory() / "mux").string();
  const std::string shared = fmt::format("-S {} ", socket);
  ASSERT_EQ(run(server.ssh("", shared + "-M -N -f")).status, 0);
  auto stalled = std::async(std::launch::async, [&] {
    return run("head -c 50000000 /dev/zero | " + server.ssh("stall", shared) + " | sha256sum");
  });
  ASSERT_TRUE(eventually([&] { return server.programs().alive == 1; }));
  std::vector<std::future<ClientResult>> others;
  for (int i = 0; i < 9; ++i) {
    others.push_back(std::async(std::launch::async, [&, i] {
      if (i % 2 == 0) {
        return run(server.ssh("source 8000000", shared) + " | sha256sum | cut -d' ' -f1");
      }
      return run("head -c 8000000 /dev/zero | " + server.ssh("discard", shared));
    }));
  }
  for (std::size_t i = 0; i < others.size(); ++i) {
    const auto result = others[i].get();
    if (i % 2 == 0) {
      EXPECT_EQ(result.out, sha256_of_source(8'000'000) + "\n") << i;
    } else {
      EXPECT_EQ(result.out.substr(0, 8), "8000000 ") << i;
    }
  }
  EXPECT_EQ(server.programs().alive, 1);
  EXPECT_EQ(server.server().connections(), 1);
  server.programs().may_read = true;
  run(fmt::format("ssh -S {} -O exit alice@127.0.0.1", socket));
  stalled.get();
  EXPECT_TRUE(eventually([&] { return server.programs().alive == 0; }));
}

TEST(Channels, ThereIsALimitToThem) {
  TestServer server([](ServerOptions& options) { options.channels_max = 2; });
  const auto told = run(fmt::format(R"(timeout 60 /usr/bin/python3 - <<'END'
import paramiko
t = paramiko.Transport(('127.0.0.1', {}))
t.connect(username='alice', password='correct horse')
kept = [t.open_session(), t.open_session()]
try:
    t.open_session()
    print('opened')
except paramiko.ChannelException:
    print('refused')
kept[0].close()
for i in range(1000):
    try:
        t.open_session()
        print('opened again')
        break
    except paramiko.ChannelException:
        pass
END
)",
                                    server.port()));
  EXPECT_EQ(told.out, "refused\nopened again\n") << told.err;
}

TEST(Channels, WhatDoesNotReadTakesBoundedBytes) {
  TestServer server;
  server.programs().may_read = false;
  const auto sent = run(fmt::format(R"(timeout 100 /usr/bin/python3 - <<'END'
import paramiko, socket
t = paramiko.Transport(('127.0.0.1', {}))
t.connect(username='alice', password='correct horse')
c = t.open_session()
c.exec_command('stall')
c.recv(8)
c.settimeout(3)
sent = 0
try:
    while sent < 100_000_000:
        sent += c.send(b'x' * 32768)
except socket.timeout:
    pass
print(sent)
END
)",
                                    server.port()));
  EXPECT_LT(std::stoll(sent.out), 6'000'000) << sent.err;
  EXPECT_GT(std::stoll(sent.out), 30'000);
}

TEST(Channels, WhatAProgramDoesNotTakeStaysInTheSocket) {
  BytesOfSockets bytes;
  TestServer server([&](ServerOptions& options) {
    options.observer = &bytes;
    options.waiting_bytes_max = 0;
  });
  const std::string may_go_on = server.directory() / "may_go_on";
  auto upload = std::async(std::launch::async, [&] {
    return run("(head -c 100000 /dev/zero; until [ -e " + may_go_on +
               " ]; do sleep 0.05; done; head -c 29900000 /dev/zero) | " + server.ssh("stall"));
  });
  // Its first reads open the window.
  ASSERT_TRUE(eventually([&] { return server.programs().read == 100'000; }));
  server.programs().may_read = false;
  const std::uint64_t before = bytes.in;
  std::ofstream(may_go_on).flush();
  ASSERT_TRUE(eventually([&] { return bytes.in > before + (64U << 10); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(bytes.in, before + (400U << 10));  // the window has room for 1.28 MB
  server.programs().may_read = true;
  server.programs().wake_stalled();
  EXPECT_EQ(upload.get().status, 0);
  EXPECT_EQ(server.programs().read, 30'000'000U);
}

TEST(Channels, AClientThatIsHeldBackIsHeardAgain) {
  TestServer server([](ServerOptions& options) {
    options.waiting_bytes_max = 0;
    options.unheard_max = std::chrono::milliseconds(500);
  });
  server.programs().may_read = false;
  auto upload = std::async(std::launch::async, [&] {
    return run("head -c 30000000 /dev/zero | " +
               server.ssh("stall", "-o ServerAliveInterval=1 -o ServerAliveCountMax=3"));
  });
  ASSERT_TRUE(eventually([&] { return server.programs().alive == 1; }));
  std::this_thread::sleep_for(std::chrono::seconds(6));
  server.programs().may_read = true;
  server.programs().wake_stalled();
  const auto uploaded = upload.get();
  EXPECT_EQ(uploaded.status, 0) << uploaded.err;
  EXPECT_EQ(server.programs().read, 30'000'000U);
}

TEST(Channels, WhatReadsLittleAtATimeGetsEverything) {
  TestServer server;
  auto upload = std::async(std::launch::async, [&] {
    return run("head -c 30000000 /dev/zero | " + server.ssh("stall"));
  });
  EXPECT_EQ(upload.get().status, 0);
  EXPECT_EQ(server.programs().read, 30'000'000U);
}

TEST(Channels, ASlowReaderGetsEverythingAndHoldsUpNobody) {
  TestServer server;
  auto slow = std::async(std::launch::async, [&] {
    return run(server.ssh("source 20000000") +
               " | /usr/bin/python3 -c \"import sys,time\n"
               "n=0\n"
               "while True:\n"
               " b=sys.stdin.buffer.read(200000)\n"
               " if not b: break\n"
               " n+=len(b); time.sleep(0.01)\n"
               "print(n)\"");
  });
  EXPECT_EQ(run(server.ssh("source 1000000") + " | wc -c").out, "1000000\n");
  EXPECT_EQ(slow.get().out, "20000000\n");
}

TEST(Channels, AClientThatVanishesLeavesNothing) {
  TestServer server;
  server.programs().may_read = false;
  for (const char* program : {"stall", "echo", "'source 100000000'"}) {
    const std::string pid = (server.directory() / "pid").string();
    auto client = std::async(std::launch::async, [&] {
      return run(server.exec_ssh(program, pid) +
                 " < <(head -c 3000000 /dev/zero; sleep 60) > >(sleep 60)");
    });
    ASSERT_TRUE(eventually([&] { return server.programs().alive == 1; }));
    run("kill -KILL $(cat " + pid + ")");
    EXPECT_TRUE(eventually([&] {
      return server.programs().alive == 0 && server.server().connections() == 0;
    })) << program;
    client.get();
  }
}

}  // namespace
}  // namespace sftpd::ssh::testing
