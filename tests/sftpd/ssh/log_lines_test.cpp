// What the log says of connections, channels and logins: enough to tell who came, and why not.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
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
using ::testing::Not;

/// A server whose log is caught.
class LogLines : public ::testing::Test {
 protected:
  LogLines() {
    ::testing::internal::CaptureStderr();
    server_ = std::make_unique<TestServer>();
  }
  ~LogLines() override {
    if (server_) end();
  }

  TestServer& server() { return *server_; }

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

  std::unique_ptr<TestServer> server_;
  std::string log_;
};

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
