#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/sftpd/ssh/test_server.h"

namespace sftpd::ssh::testing {
namespace {

constexpr std::uint64_t size = std::uint64_t{256} << 20;

std::string made_by_shell(std::uint64_t bytes) {
  return fmt::format("openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c {}",
                     bytes);
}

TEST(Transfers, AnUploadArrivesWholeAndInOrder) {
  TestServer server;
  const auto sent = run(made_by_shell(size) + " | sha256sum | cut -d' ' -f1");
  const auto received = run(made_by_shell(size) + " | " + server.ssh("discard"));
  EXPECT_EQ(received.status, 0) << received.err;
  EXPECT_EQ(received.out, fmt::format("{} {}", size, sent.out));
}

TEST(Transfers, ADownloadArrivesWholeAndInOrder) {
  TestServer server;
  const auto received =
      run(server.ssh(fmt::format("source {}", size)) + " | sha256sum | cut -d' ' -f1");
  EXPECT_EQ(received.out, sha256_of_source(size) + "\n");
}

TEST(Transfers, WhatIsSentComesBack) {
  TestServer server;
  const std::string made = made_by_shell(std::uint64_t{16} << 20);
  const auto back = run(made + " | " + server.ssh("echo") + " | sha256sum");
  EXPECT_EQ(back.out, run(made + " | sha256sum").out);
}

TEST(Transfers, KeysAreExchangedAnewWhileAnUploadRuns) {
  TestServer server;
  const std::string made = made_by_shell(std::uint64_t{48} << 20);
  const auto sent = run(made + " | sha256sum | cut -d' ' -f1");
  const auto received = run(made + " | " + server.ssh("discard", "-o RekeyLimit=1M"));
  EXPECT_EQ(received.status, 0) << received.err;
  EXPECT_EQ(received.out, fmt::format("{} {}", std::uint64_t{48} << 20, sent.out));
}

TEST(Transfers, KeysAreExchangedAnewWhileADownloadRuns) {
  TestServer server;
  const std::uint64_t bytes = std::uint64_t{48} << 20;
  const auto received = run(server.ssh(fmt::format("source {}", bytes), "-o RekeyLimit=1M") +
                            " | sha256sum | cut -d' ' -f1");
  EXPECT_EQ(received.out, sha256_of_source(bytes) + "\n");
}

TEST(Transfers, KeysAreExchangedAnewWhileBothDirectionsAreBusy) {
  TestServer server;
  const std::string made = made_by_shell(std::uint64_t{32} << 20);
  const auto back = run(made + " | " + server.ssh("echo", "-o RekeyLimit=1M") + " | sha256sum");
  EXPECT_EQ(back.out, run(made + " | sha256sum").out);
}

TEST(Transfers, EveryCipherCarriesData) {
  TestServer server;
  for (const char* cipher :
       {"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com",
        "aes256-ctr", "aes192-ctr", "aes128-ctr"}) {
    const auto received = run("head -c 3000000 /dev/zero | " +
                              server.ssh("discard", fmt::format("-o Ciphers={}", cipher)));
    EXPECT_EQ(received.out.substr(0, 8), "3000000 ") << cipher << received.err;
  }
}

}  // namespace
}  // namespace sftpd::ssh::testing
