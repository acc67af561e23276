#include "sftpd/admin/terminal.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <iostream>
#include <random>
#include <string_view>

#include "sftpd/admin/context.h"
#include "sftpd/auth/password.h"

namespace sftpd::admin {
namespace {

termios before_question{};  // for the signal handler

/// Both calls are async-signal-safe. The signal is unblocked, and ends the program, when we return.
void restore_terminal(int number) noexcept {
  ::tcsetattr(STDIN_FILENO, TCSANOW, &before_question);
  ::raise(number);
}

/// Switches the terminal's echo off while it lives, and on again before a signal ends the program.
class NoEcho {
 public:
  NoEcho() {
    if (::tcgetattr(STDIN_FILENO, &before_question) != 0) return;
    struct sigaction restore {};
    restore.sa_handler = restore_terminal;
    restore.sa_flags =
        static_cast<int>(SA_RESETHAND);  // the second time it does what it always did
    for (std::size_t i = 0; i < signals.size(); ++i) {
      ::sigaction(signals[i], nullptr, &actions_[i]);
      if (actions_[i].sa_handler == SIG_DFL) ::sigaction(signals[i], &restore, nullptr);
    }
    termios quiet = before_question;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  ~NoEcho() {
    if (changed_) {
      ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_question);
    }
    for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &actions_[i], nullptr);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  static constexpr std::array<int, 4> signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  std::array<struct sigaction, signals.size()> actions_{};
  bool changed_ = false;
};

std::string ask_once(const std::string& question) {
  std::cerr << question << std::flush;
  std::string answer;
  {
    const NoEcho quiet;
    std::getline(std::cin, answer);
  }
  std::cerr << '\n';
  return answer;
}

}  // namespace

std::string generate_password() {
  constexpr std::string_view letters = "23456789abcdefghijkmnpqrstuvwxyz";
  static_assert(letters.size() == 32, "so that every letter is equally likely");
  std::random_device random;  // getrandom(2) in libstdc++
  std::string password;
  for (int i = 0; i < 20; ++i) {
    if (i > 0 && i % 5 == 0) password += '-';
    password += letters[random() % letters.size()];
  }
  return password;
}

std::string read_password_from_stdin() {
  // Read byte by byte up to a bound: what stands there may be a file without an end.
  std::string line;
  for (int c = std::cin.get(); c != EOF && c != '\n'; c = std::cin.get()) {
    line += static_cast<char>(c);
    if (line.size() > auth::password_length_max + 1) break;
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.empty()) throw Failure("no password came on standard input");
  if (!auth::acceptable_password(line)) {
    throw Failure("a password has at most 1,024 bytes and no NUL among them");
  }
  return line;
}

std::string ask_password(const std::string& question) {
  const std::string first = ask_once(question);
  if (first.empty()) return first;
  if (!auth::acceptable_password(first)) throw Failure("this cannot be a password: it is too long");
  if (ask_once("Again: ") != first) throw Failure("the two were not the same");
  return first;
}

bool is_interactive() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1; }

bool confirm(const std::string& question) {
  std::cerr << question << " Type yes: " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "yes";
}

std::string readable_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace sftpd::admin
