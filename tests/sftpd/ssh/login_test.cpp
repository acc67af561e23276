#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/sftpd/ssh/test_server.h"

namespace sftpd::ssh::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Login, APasswordOpensTheDoor) {
  TestServer server;
  const auto told = run(server.ssh_with_password("alice", "correct horse"));
  EXPECT_EQ(told.out, "alice 127.0.0.1 exec\n") << told.err;
}

TEST(Login, KeyboardInteractiveAsksForThePassword) {
  TestServer server;
  const std::string only = "-o PreferredAuthentications=keyboard-interactive";
  EXPECT_EQ(run(server.ssh_with_password("alice", "correct horse", only)).out,
            "alice 127.0.0.1 exec\n");
  const auto refused = run(server.ssh_with_password("alice", "wrong horse", only));
  EXPECT_EQ(refused.status, 255);
  EXPECT_THAT(refused.err, HasSubstr("Permission denied"));
}

TEST(Login, WrongUnknownDisabledAndPasswordlessAreAllTheSameToTheClient) {
  TestServer server;
  const auto wrong = run(server.ssh_with_password("alice", "wrong horse"));
  EXPECT_EQ(wrong.status, 255);
  EXPECT_THAT(wrong.err, HasSubstr("Permission denied (publickey,keyboard-interactive,password)"));
  for (const char* user : {"nobody", "mallory", "bob", "no.such-user"}) {
    const auto refused = run(server.ssh_with_password(fmt::format("'{}'", user), "correct horse"));
    EXPECT_EQ(refused.status, 255) << user;
    EXPECT_THAT(refused.err, HasSubstr("Permission denied")) << user;
  }
}

TEST(Login, OnlyThePasswordItselfIsRight) {
  TestServer server;
  EXPECT_EQ(run(server.ssh_with_password("alice", "correct horse ")).status, 255);
  EXPECT_EQ(run(server.ssh_with_password("alice", "")).status, 255);
}

class LoginWithKey : public ::testing::TestWithParam<const char*> {};

TEST_P(LoginWithKey, IsAccepted) {
  TestServer server;
  const auto key = server.add_key("other", GetParam());
  const auto told = run(server.ssh("who", fmt::format("-i {}", key.string())));
  EXPECT_EQ(told.out, "alice 127.0.0.1 exec\n") << told.err;
  // The other key alone, to be sure that it was this one.
  const std::string only = fmt::format(
      "ssh -F none -o BatchMode=yes -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "
      "-o StrictHostKeyChecking=no -o IdentitiesOnly=yes -i {} -p {} alice@127.0.0.1 who",
      key.string(), server.port());
  EXPECT_EQ(run(only).out, "alice 127.0.0.1 exec\n");
}

INSTANTIATE_TEST_SUITE_P(Types, LoginWithKey,
                         ::testing::Values("-t ed25519", "-t ecdsa -b 256", "-t ecdsa -b 384",
                                           "-t ecdsa -b 521", "-t rsa -b 2048"));

TEST(Login, AnRsaKeyMayNotSignWithSha1) {
  TestServer server;
  const auto key = server.add_key("rsa", "-t rsa -b 2048");
  const auto refused =
      run(fmt::format("timeout 60 ssh -F none -v -o BatchMode=yes -o UserKnownHostsFile=/dev/null "
                      "-o StrictHostKeyChecking=no -o IdentitiesOnly=yes -i {} "
                      "-o PubkeyAcceptedAlgorithms=ssh-rsa -p {} alice@127.0.0.1 who",
                      key.string(), server.port()));
  EXPECT_EQ(refused.status, 255);
  EXPECT_EQ(refused.out, "");
}

/// paramiko signs with SHA-1 when it is told that nothing else is there.
TEST(Login, ASha1SignatureEndsTheConnectionSoonWithAReason) {
  TestServer server;
  const auto key = server.add_key("rsa", "-t rsa -b 2048 -m PEM");
  const auto refused = run(fmt::format(R"(timeout 60 /usr/bin/python3 - <<'END'
import paramiko
t = paramiko.Transport(('127.0.0.1', {}), disabled_algorithms={{'pubkeys': ['rsa-sha2-256', 'rsa-sha2-512']}})
t.start_client()
t.server_extensions = {{}}
try:
    t.auth_publickey('alice', paramiko.RSAKey.from_private_key_file('{}'))
    print('let in')
except Exception as e:
    print('refused:', type(e).__name__)
END
)",
                                       server.port(), key.string()));
  EXPECT_THAT(refused.out, HasSubstr("refused:")) << refused.err;
}

TEST(Login, AKeyOfSomebodyElseIsRefused) {
  TestServer server;
  const auto key = server.make_key("stranger", "-t ed25519");
  const auto refused =
      run(fmt::format("ssh -F none -o BatchMode=yes -o UserKnownHostsFile=/dev/null "
                      "-o StrictHostKeyChecking=no -o IdentitiesOnly=yes -i {} -p {} "
                      "alice@127.0.0.1 who",
                      key.string(), server.port()));
  EXPECT_EQ(refused.status, 255);
  EXPECT_THAT(refused.err, HasSubstr("Permission denied"));
}

TEST(Login, ACertificateIsNoKey) {
  TestServer server;
  const auto authority = server.make_key("ca", "-t ed25519");
  const auto key = server.make_key("signed", "-t ed25519");
  ASSERT_EQ(run(fmt::format("ssh-keygen -q -s {} -I alice -n alice {}.pub", authority.string(),
                            key.string()))
                .status,
            0);
  const auto refused =
      run(fmt::format("timeout 60 ssh -F none -o BatchMode=yes -o UserKnownHostsFile=/dev/null "
                      "-o StrictHostKeyChecking=no -o IdentitiesOnly=yes -i {} -p {} "
                      "alice@127.0.0.1 who",
                      key.string(), server.port()));
  EXPECT_EQ(refused.status, 255);
  EXPECT_EQ(refused.out, "");
}

TEST(Login, AnAgentWithManyKeysStillGetsToThePassword) {
  TestServer server;
  std::string keys;
  for (int i = 0; i < 15; ++i) {
    keys += fmt::format(" -i {}", server.make_key(fmt::format("k{}", i), "-t ed25519").string());
  }
  const auto told = run(server.ssh_with_password(
      "alice", "correct horse", "-o PubkeyAuthentication=yes -o IdentitiesOnly=yes" + keys));
  EXPECT_EQ(told.out, "alice 127.0.0.1 exec\n") << told.err;
}

TEST(Login, TooManyPasswordsEndTheConnection) {
  TestServer server([](ServerOptions& options) { options.password_tries_max = 3; });
  const auto tried = run(fmt::format(R"(timeout 60 /usr/bin/python3 - <<'END'
import paramiko
t = paramiko.Transport(('127.0.0.1', {}))
t.start_client()
for i in range(10):
    try:
        t.auth_password('alice', 'wrong', fallback=False)
    except paramiko.AuthenticationException:
        if not t.is_active():
            break
    except Exception:
        break
print('tries:', i)
END
)",
                                     server.port()));
  EXPECT_THAT(tried.out, ::testing::AnyOf(HasSubstr("tries: 2"), HasSubstr("tries: 3")))
      << tried.err;
}

TEST(Login, AnswersThatNobodyAskedForAreTriesToo) {
  TestServer server([](ServerOptions& options) { options.key_tries_max = 5; });
  const auto tried = run(fmt::format(R"(timeout 50 /usr/bin/python3 - <<'END'
import time, paramiko
t = paramiko.Transport(('127.0.0.1', {}))
t.start_client()
try:
    t.auth_interactive('alice', lambda *_: ['wrong'])
except paramiko.AuthenticationException:
    pass
sent = 0
while t.is_active() and sent < 300:
    answer = paramiko.Message()
    answer.add_byte(bytes([61]))  # SSH_MSG_USERAUTH_INFO_RESPONSE
    answer.add_int(1)
    answer.add_string('guess')
    t._send_message(answer)
    sent += 1
    time.sleep(0.05)
print('ended' if sent < 300 else 'goes on')
END
)",
                                     server.port()));
  EXPECT_EQ(tried.out, "ended\n") << tried.err;
}

TEST(Login, ParamikoOffersOnlyTheOldNameOfCurve25519) {
  TestServer server;
  const auto told = run(fmt::format(R"(timeout 60 /usr/bin/python3 - <<'END'
import paramiko
c = paramiko.SSHClient()
c.set_missing_host_key_policy(paramiko.AutoAddPolicy())
c.connect('127.0.0.1', {}, 'alice', 'correct horse', look_for_keys=False, allow_agent=False)
print(c.exec_command('who')[1].read().decode(), end='')
END
)",
                                    server.port()));
  EXPECT_EQ(told.out, "alice 127.0.0.1 exec\n") << told.err;
}

class Refused : public ::testing::TestWithParam<const char*> {};

TEST_P(Refused, IsNotNegotiated) {
  TestServer server;
  const auto refused = run(server.ssh("who", fmt::format("-o LogLevel=INFO {}", GetParam())));
  EXPECT_EQ(refused.status, 255);
  EXPECT_THAT(refused.err, HasSubstr("no matching")) << refused.out;
}

INSTANTIATE_TEST_SUITE_P(Algorithms, Refused,
                         ::testing::Values("-o Ciphers=aes128-cbc", "-o Ciphers=3des-cbc",
                                           "-o MACs=hmac-sha1 -o Ciphers=aes128-ctr",
                                           "-o KexAlgorithms=diffie-hellman-group14-sha1",
                                           "-o HostKeyAlgorithms=ssh-rsa"));

TEST(Login, StrictKeyExchangeIsNegotiated) {
  TestServer server;
  const auto told = run(server.ssh("who", "-vv -o LogLevel=DEBUG2"));
  EXPECT_THAT(told.err, HasSubstr("kex-strict-s-v00@openssh.com"));
  EXPECT_THAT(told.err, HasSubstr("compression stoc: none\r\n"));
}

TEST(Login, EveryKeyExchangeWorks) {
  TestServer server;
  for (const char* exchange :
       {"curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384", "ecdh-sha2-nistp521", "diffie-hellman-group14-sha256",
        "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512"}) {
    EXPECT_EQ(run(server.ssh("who", fmt::format("-o KexAlgorithms={}", exchange))).status, 0)
        << exchange;
  }
}

TEST(Login, OnlyClientsThatLookAtTheBannerTurnSymlinksAround) {
  TestServer server;
  EXPECT_EQ(run(server.ssh("who")).status, 0);
  EXPECT_FALSE(server.programs().symlink_link_first);
  const auto told = run(fmt::format(R"(timeout 60 /usr/bin/python3 - <<'END'
import asyncio, asyncssh
async def main():
    async with asyncssh.connect('127.0.0.1', {}, username='alice', password='correct horse',
                                known_hosts=None, client_keys=None) as c:
        print((await c.run('who')).stdout, end='')
asyncio.run(main())
END
)",
                                    server.port()));
  EXPECT_EQ(told.out, "alice 127.0.0.1 exec\n") << told.err;
  EXPECT_TRUE(server.programs().symlink_link_first);
}

}  // namespace
}  // namespace sftpd::ssh::testing
