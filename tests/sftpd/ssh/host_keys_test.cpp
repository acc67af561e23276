#include "sftpd/ssh/host_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/sftpd/ssh/test_server.h"

namespace sftpd::ssh::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string failure_of(const std::function<void()>& act) {
  try {
    act();
    return "";
  } catch (const std::runtime_error& failure) {
    return failure.what();
  }
}

TEST(HostKeys, AreMadeOnceAndStayTheSame) {
  const ScratchDirectory scratch;
  const auto made = HostKeys::load_or_generate(scratch.path());
  ASSERT_EQ(made.keys().size(), 3U);
  EXPECT_EQ(made.keys()[0].type, "ssh-ed25519");
  EXPECT_EQ(made.keys()[1].type, "ecdsa-sha2-nistp256");
  EXPECT_EQ(made.keys()[2].type, "ssh-rsa");
  const auto again = HostKeys::load_or_generate(scratch.path());
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(made.keys()[i].fingerprint, again.keys()[i].fingerprint);
    struct stat status {};
    ASSERT_EQ(::stat(made.keys()[i].file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    // ssh-keygen agrees about the fingerprint.
    EXPECT_THAT(run("ssh-keygen -lf " + made.keys()[i].file.string()).out,
                HasSubstr(" " + made.keys()[i].fingerprint + " "));
  }
}

TEST(HostKeys, AllThreeServe) {
  const ScratchDirectory scratch;
  const auto keys = HostKeys::load_or_generate(scratch.path());
  TestServer server([&](ServerOptions& options) { options.host_keys = keys; });
  for (const char* type : {"ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"}) {
    EXPECT_EQ(run(server.ssh("exit 0", std::string("-o HostKeyAlgorithms=") + type)).status, 0)
        << type;
  }
}

TEST(HostKeys, WhatIsWrongIsSaidWithTheFile) {
  const ScratchDirectory scratch;
  const auto file = scratch.path() / "key";
  EXPECT_THAT(failure_of([&] { HostKeys::load({file}); }), HasSubstr("No such file"));
  std::ofstream(file) << "garbage\n";
  ::chmod(file.c_str(), 0600);
  EXPECT_THAT(failure_of([&] { HostKeys::load({file}); }),
              StartsWith("host key " + file.string() + ": not a private key"));
  ::chmod(file.c_str(), 0644);
  EXPECT_THAT(failure_of([&] { HostKeys::load({file}); }), HasSubstr("others can read it"));
  EXPECT_THAT(failure_of([&] { HostKeys::load({}); }), HasSubstr("no host key"));
}

TEST(HostKeys, TwoOfAKindAndShortRsaAreRefused) {
  const ScratchDirectory scratch;
  for (const char* name : {"a", "b"}) {
    run("ssh-keygen -q -N '' -t ed25519 -f " + (scratch.path() / name).string());
  }
  EXPECT_THAT(failure_of([&] {
                HostKeys::load({scratch.path() / "a", scratch.path() / "b"});
              }),
              HasSubstr("another one of this kind"));
  run("openssl genrsa -traditional -out " + (scratch.path() / "rsa").string() + " 1024");
  EXPECT_THAT(failure_of([&] { HostKeys::load({scratch.path() / "rsa"}); }), HasSubstr("rsa"));
}

TEST(HostKeys, APassphraseIsRefused) {
  const ScratchDirectory scratch;
  run("ssh-keygen -q -N secret -t ed25519 -f " + (scratch.path() / "a").string());
  EXPECT_THAT(failure_of([&] { HostKeys::load({scratch.path() / "a"}); }),
              HasSubstr("without a passphrase"));
}

}  // namespace
}  // namespace sftpd::ssh::testing
