// What the log says of connections, channels and logins: enough to tell who came, and why not.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/sftpd/ssh/test_server.h"

namespace sftpd::ssh::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

/// What the metrics are told.
struct Refusals : ServerObserver {
  void login_refused(const char* method, auth::Refusal reason) override {
    std::lock_guard lock(mutex);
    told.push_back(fmt::format("{} {}", method, auth::name_of(reason)));
  }
  std::mutex mutex;
  std::vector<std::string> told;
};

/// A server whose log is caught.
class LogLines : public ::testing::Test {
 protected:
  LogLines() {
    ::testing::internal::CaptureStderr();
    server_ =
        std::make_unique<TestServer>([this](ServerOptions& options) { options.observer = &told_; });
  }
  ~LogLines() override {
    if (server_) end();
  }

  TestServer& server() { return *server_; }

  /// A client that offers keys only: so many of its own, and then those of `more`.
  ClientResult offer(const std::string& user, int strange_keys, const std::string& more = "") {
    std::string options = "-o PubkeyAuthentication=yes -o IdentitiesOnly=yes";
    for (int i = 0; i < strange_keys; ++i) {
      const auto key = server().make_key(fmt::format("{}-{}", user, i), "-t ed25519");
      options += " -i " + key.string();
    }
    return run(server().ssh_with_password(user, "correct horse", options + more));
  }
  std::string with_alices_key() {
    return " -o PreferredAuthentications=publickey -i " + (server().directory() / "key").string();
  }

  /// What the metrics were told. Only once the server has ended.
  const std::vector<std::string>& told() const { return told_.told; }

  /// Ends the server; the lines that hold `word`, without the time.
  std::vector<std::string> lines_with(const std::string& word) {
    if (server_) log_ = end();
    std::istringstream text(log_);
    std::vector<std::string> found;
    for (std::string line; std::getline(text, line);) {
      if (line.find(word) != std::string::npos) found.push_back(line.substr(line.find(' ') + 1));
    }
    return found;
  }

 private:
  std::string end() {
    server_.reset();
    return ::testing::internal::GetCapturedStderr();
  }

  Refusals told_;
  std::unique_ptr<TestServer> server_;
  std::string log_;
};

const std::string keys_only = " -o PreferredAuthentications=publickey";

TEST_F(LogLines, TroubleOnAChannelNamesItAndItsConnection) {
  run(server().ssh("exit 0"));
  run(server().ssh("throw"));
  run(server().ssh("break"));
  EXPECT_THAT(lines_with("program "),
              ElementsAre("error program failed conn=2 channel=1 reason=\"thrown by a test\"",
                          "error program not started conn=3 channel=1 "
                          "reason=\"thrown by a test's factory\""));
}

TEST_F(LogLines, ADatabaseThatIsAwayIsSaidWithTheClientItConcerns) {
  server().break_users();
  run(server().ssh_with_password("alice", "correct horse"));
  EXPECT_THAT(lines_with("cannot be decided"),
              Contains("error login cannot be decided conn=1 user=alice address=127.0.0.1 "
                       "method=password reason=\"no database\""));
}

TEST_F(LogLines, AStrangersKeysAreOneRefusedLogin) {
  EXPECT_EQ(offer("alice", 3, keys_only).status, 255);
  EXPECT_THAT(lines_with("login"),
              ElementsAre(MatchesRegex(
                  "warning login refused conn=1 user=alice address=127.0.0.1 method=publickey "
                  "key=\"?SHA256:[^ ]+ keys=3 reason=unknown_key")));
  EXPECT_THAT(told(), ElementsAre("publickey unknown_key"));
}

TEST_F(LogLines, KeysInFrontOfAPasswordAreOneRefusedLoginToo) {
  EXPECT_EQ(offer("alice", 2).status, 0);
  EXPECT_THAT(lines_with("login"), ElementsAre(HasSubstr("keys=2 reason=unknown_key"),
                                               StartsWith("info login conn=1 user=alice")));
}

TEST_F(LogLines, AKeyThatFitsBehindOthersIsALogin) {
  EXPECT_EQ(offer("alice", 2, with_alices_key()).status, 0);
  EXPECT_THAT(lines_with("login"), ElementsAre(StartsWith("info login conn=1 user=alice")));
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(LogLines, WhoIsUnknownOrDisabledIsSaidWithKeysToo) {
  offer("nobody", 1, keys_only);
  offer("mallory", 0, with_alices_key());
  EXPECT_THAT(lines_with("login refused"),
              ElementsAre(AllOf(HasSubstr("user=nobody "), HasSubstr("reason=unknown_user")),
                          AllOf(HasSubstr("user=mallory "), HasSubstr("reason=disabled_user"))));
  EXPECT_THAT(told(), ElementsAre("publickey unknown_user", "publickey disabled_user"));
}

TEST_F(LogLines, KeysAndADatabaseThatIsAway) {
  server().break_users();
  EXPECT_EQ(offer("alice", 2, keys_only).status, 255);
  EXPECT_THAT(lines_with("login refused"), ElementsAre(HasSubstr("keys=2 reason=unavailable")));
}

TEST_F(LogLines, AWrongSignatureIsARefusedLogin) {
  const auto tried = run(fmt::format(R"(timeout 60 /usr/bin/python3 - <<'END'
import paramiko
key = paramiko.Ed25519Key.from_private_key_file('{1}')
sign = key.sign_ssh_data
key.sign_ssh_data = lambda data, *rest: sign(data + b'x', *rest)
t = paramiko.Transport(('127.0.0.1', {0}))
t.start_client()
for login in (lambda: t.auth_none('alice'), lambda: t.auth_publickey('alice', key)):
    try:
        login()
    except Exception as e:
        print(repr(e))
END
)",
                                     server().port(), (server().directory() / "key").string()));
  EXPECT_THAT(lines_with("user=alice"),
              ElementsAre("warning login refused conn=1 user=alice address=127.0.0.1 "
                          "method=publickey key=\"\" reason=unusable_key"))
      << tried.out << tried.err;
  EXPECT_THAT(lines_with("connection closed"), ElementsAre(HasSubstr("unusable key or signature")));
  EXPECT_THAT(told(), ElementsAre("publickey unusable_key"));
}

TEST_F(LogLines, AnEndIsNotBlamedOnTheClientWhereLibsshMadeIt) {
  run(server().ssh("who"));
  run(server().ssh("who", "-o Ciphers=aes128-cbc"));
  run(
      fmt::format("exec 3<>/dev/tcp/127.0.0.1/{0}; printf 'SSH-2.0-x\\r\\n' >&3; "
                  "head -c 5000 /dev/zero | tr '\\0' 'x' >&3; timeout 20 cat <&3 >/dev/null",
                  server().port()));
  run(fmt::format("exec 3<>/dev/tcp/127.0.0.1/{0}; head -c 21 <&3", server().port()));
  EXPECT_THAT(
      lines_with("connection closed"),
      ElementsAre(AllOf(HasSubstr("user=alice"), HasSubstr("reason=\"closed by the client\"")),
                  AllOf(HasSubstr("reason=\"handshake failed\""), HasSubstr("aes128-cbc")),
                  AllOf(HasSubstr("reason=\"handshake failed\""), Not(HasSubstr("detail=\"\""))),
                  AllOf(HasSubstr("reason=\"closed by the client\""), HasSubstr("detail=\"\""))));
}

}  // namespace
}  // namespace sftpd::ssh::testing
