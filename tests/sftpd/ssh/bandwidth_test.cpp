#include "sftpd/limits/bandwidth.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <future>

#include "tests/sftpd/ssh/test_server.h"

namespace sftpd::ssh::testing {
namespace {

using limits::Bandwidth;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;

limits::BandwidthOptions rate(std::uint64_t upload, std::uint64_t download) {
  return {.process = {.upload = upload, .download = download}, .user = {}};
}

std::string made_by_shell(std::uint64_t bytes) {
  return fmt::format("openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c {}",
                     bytes);
}

TEST(BandwidthOfChannels, AnUploadTakesItsTimeAndArrivesWhole) {
  Bandwidth bandwidth(rate(4 * mib, 0));
  TestServer server([&](ServerOptions& options) { options.bandwidth = &bandwidth; });
  const std::string made = made_by_shell(10 * mib);
  const auto sent = run(made + " | sha256sum | cut -d' ' -f1");
  const auto begun = Clock::now();
  const auto received = run(made + " | " + server.ssh("discard", "-o RekeyLimit=1M"));
  EXPECT_GE(Clock::now() - begun, std::chrono::milliseconds(1250));
  EXPECT_EQ(received.out, fmt::format("{} {}", 10 * mib, sent.out)) << received.err;
}

TEST(BandwidthOfChannels, ADownloadTakesItsTimeAndArrivesWhole) {
  Bandwidth bandwidth(rate(0, 4 * mib));
  TestServer server([&](ServerOptions& options) { options.bandwidth = &bandwidth; });
  const auto begun = Clock::now();
  const auto received = run(server.ssh(fmt::format("source {}", 10 * mib), "-o RekeyLimit=1M") +
                            " | sha256sum | cut -d' ' -f1");
  EXPECT_GE(Clock::now() - begun, std::chrono::milliseconds(1250));
  EXPECT_EQ(received.out, sha256_of_source(10 * mib) + "\n");
}

TEST(BandwidthOfChannels, BothDirectionsAtOnce) {
  Bandwidth bandwidth(rate(4 * mib, 3 * mib));
  TestServer server([&](ServerOptions& options) { options.bandwidth = &bandwidth; });
  const std::string made = made_by_shell(8 * mib);
  const auto back = run(made + " | " + server.ssh("echo") + " | sha256sum");
  EXPECT_EQ(back.out, run(made + " | sha256sum").out);
}

// At the least rate the next turn comes seconds later than the idle timeout.
TEST(BandwidthOfChannels, WhoWaitsForATurnIsNotIdle) {
  Bandwidth bandwidth(rate(4 * kib, 0));
  TestServer server([&](ServerOptions& options) {
    options.bandwidth = &bandwidth;
    options.idle_timeout = std::chrono::milliseconds(300);
  });
  const auto received =
      run(fmt::format("head -c {} /dev/zero | ", 116 * kib) + server.ssh("discard"));
  EXPECT_EQ(received.status, 0) << received.err;
  EXPECT_TRUE(received.out.starts_with(fmt::format("{} ", 116 * kib))) << received.out;
}

TEST(BandwidthOfChannels, TheServerStopsWhileEverybodyWaits) {
  Bandwidth bandwidth(rate(kib, kib));
  TestServer server([&](ServerOptions& options) { options.bandwidth = &bandwidth; });
  std::vector<std::future<ClientResult>> clients;
  for (int i = 0; i < 3; ++i) {
    for (const std::string& command :
         {made_by_shell(20 * mib) + " | " + server.ssh("discard"), server.ssh("source 20000000")}) {
      clients.push_back(std::async(std::launch::async, run, command));
    }
  }
  EXPECT_TRUE(eventually([&] { return server.programs().alive == 6; }));
  EXPECT_TRUE(eventually([&] { return server.programs().read > 64 * kib; }));
  server.stop();  // At 1 KiB/s the rest would take hours.
  for (auto& client : clients) EXPECT_NE(client.get().status, 0);
  EXPECT_TRUE(bandwidth.users().empty());
}

TEST(BandwidthOfChannels, AClientThatIsGoneIsNotWaitedFor) {
  Bandwidth bandwidth(rate(kib, kib));
  TestServer server([&](ServerOptions& options) { options.bandwidth = &bandwidth; });
  const std::string pid = (server.directory() / "pid").string();
  for (const char* command : {"source 20000000", "discard"}) {
    auto client = std::async(std::launch::async, run,
                             server.exec_ssh(command, pid) + " < /dev/zero > >(sleep 60)");
    EXPECT_TRUE(eventually([&] { return server.programs().alive == 1; })) << command;
    run("kill -9 $(cat " + pid + ")");
    EXPECT_TRUE(eventually([&] { return server.server().connections() == 0; })) << command;
    client.get();
  }
}

}  // namespace
}  // namespace sftpd::ssh::testing
