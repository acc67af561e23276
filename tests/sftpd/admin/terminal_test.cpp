#include "sftpd/admin/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <stdexcept>
#include <thread>

namespace sftpd::admin {
namespace {

TEST(Terminal, GeneratedPasswordsAreLongReadableAndDifferent) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string password = generate_password();
    EXPECT_THAT(password, testing::MatchesRegex("([2-9a-z]{5}-){3}[2-9a-z]{5}"));
    EXPECT_EQ(password.find_first_of("01lo"), std::string::npos) << "look like others";
    seen.insert(password);
  }
  EXPECT_EQ(seen.size(), 100U);
}

constexpr int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/// Whoever asks at a terminal of its own, in a process of its own.
class Asking {
 public:
  Asking() {
    int terminal = -1;
    if (openpty(&ours_, &terminal, nullptr, nullptr, nullptr) != 0) {
      throw std::runtime_error("openpty");
    }
    child_ = fork();
    if (child_ == 0) {
      ::setsid();
      for (const int signal : signals) ::signal(signal, SIG_DFL);  // Some shells ignore a few.
      ::dup2(terminal, STDIN_FILENO);
      ask_password("?");
      ::_exit(0);
    }
    ::close(terminal);
  }
  ~Asking() { ::close(ours_); }

  bool echoes() const {
    termios settings{};
    return ::tcgetattr(ours_, &settings) == 0 && (settings.c_lflag & ECHO) != 0;
  }
  /// How it ended.
  int end(int signal) {
    ::kill(child_, signal);
    int status = 0;
    ::waitpid(child_, &status, 0);
    return status;
  }

 private:
  int ours_ = -1;
  pid_t child_ = 0;
};

TEST(Terminal, ASignalAtTheQuestionLeavesTheEchoOn) {
  for (const int signal : signals) {
    Asking asking;
    while (asking.echoes()) std::this_thread::yield();
    const int status = asking.end(signal);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    EXPECT_TRUE(asking.echoes());
  }
}

TEST(Terminal, SizesAreReadable) {
  EXPECT_EQ(readable_size(0), "0 B");
  EXPECT_EQ(readable_size(1023), "1023 B");
  EXPECT_EQ(readable_size(1536), "1.5 KiB");
  EXPECT_EQ(readable_size(10ULL << 30), "10.0 GiB");
  EXPECT_EQ(readable_size(~0ULL), "16384.0 PiB");
}

}  // namespace
}  // namespace sftpd::admin
