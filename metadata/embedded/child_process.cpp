#include "metadata/embedded/child_process.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <string_view>
#include <thread>

#include "metadata/error.h"

namespace metadata {
namespace {

Identity identity_of(const passwd& user, bool differs) {
  Identity identity{user.pw_uid, user.pw_gid, std::vector<gid_t>(64), user.pw_name, differs};
  int count = static_cast<int>(identity.groups.size());
  if (getgrouplist(user.pw_name, user.pw_gid, identity.groups.data(), &count) < 0) count = 0;
  identity.groups.resize(static_cast<std::size_t>(count));
  return identity;
}

/// As initdb makes them, without what would send it elsewhere.
std::vector<std::string> child_environment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const bool misleads = text.starts_with("PG") || text.starts_with("LC_") ||
                          text.starts_with("LANG") || text.starts_with("NOTIFY_SOCKET=") ||
                          text.starts_with("LISTEN_");
    if (!misleads) environment.emplace_back(text);
  }
  environment.emplace_back("LC_ALL=C");
  return environment;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork() and exec() of a process with threads only async-signal-safe calls are allowed.

bool become(const Identity& identity) noexcept {
  if (!identity.differs) return true;
  return setgroups(identity.groups.size(), identity.groups.data()) == 0 &&
         setgid(identity.gid) == 0 && setuid(identity.uid) == 0;
}

void reset_signals() noexcept {
  for (const int number : {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGPIPE, SIGCHLD, SIGUSR1, SIGUSR2}) {
    signal(number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void give_up(const char* what) noexcept {
  for (const char* part : {"shoebox: cannot start PostgreSQL: ", what, "\n"}) {
    if (write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  }
  _exit(127);
}

[[noreturn]] void run_child(char** arguments, char** environment, const Identity& identity,
                            int output, int folder, int death_signal, pid_t parent) noexcept {
  setsid();
  reset_signals();
  const int nothing = open("/dev/null", O_RDONLY);
  // Copies above the numbers that are about to be taken.
  output = fcntl(output, F_DUPFD, 4);
  folder = fcntl(folder, F_DUPFD, 4);
  if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
      dup2(output, STDERR_FILENO) < 0 || dup2(folder, 3) < 0) {
    _exit(127);
  }
  close_range(4, UINT_MAX, 0);
  umask(077);
  if (chdir("/") != 0) give_up("chdir");
  if (!become(identity)) give_up("setuid");
  // After setuid(), which clears it. The parent may have died before it was set.
  if (death_signal != 0 && prctl(PR_SET_PDEATHSIG, death_signal) != 0) give_up("prctl");
  if (death_signal != 0 && getppid() != parent) _exit(127);
  execve(arguments[0], arguments, environment);
  give_up("execve");
}

/// A process whose parent ignored SIGCHLD inherits that, and never learns how its children ended.
void expect_children() {
  struct sigaction action {};
  if (sigaction(SIGCHLD, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
    signal(SIGCHLD, SIG_DFL);
  }
}

/// launch() makes every child the leader of a group, but it may not have got there yet.
void signal_group(pid_t leader, int number) {
  if (kill(-leader, number) != 0) kill(leader, number);
}

/// Whom an ended leader left behind; a dead one may count for as long as nobody reaps it.
void end_group(pid_t leader) {
  constexpr std::chrono::seconds patience{1};
  const auto end = std::chrono::steady_clock::now() + patience;
  while (kill(-leader, SIGKILL) == 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

pid_t fork_child() {
  expect_children();
  const pid_t child = fork();
  if (child < 0) throw Error(ErrorCode::unavailable, "fork: " + std::string(strerror(errno)));
  return child;
}

}  // namespace

Identity identity_for(const std::string& data) {
  struct stat status {};
  const bool exists = stat(data.c_str(), &status) == 0;
  const passwd* user = nullptr;
  if (geteuid() != 0) {
    if (exists && status.st_uid != geteuid()) {
      throw Error(ErrorCode::invalid, data + " belongs to another user: run as that user or root");
    }
    user = getpwuid(geteuid());
  } else {
    if (exists && status.st_uid != 0) user = getpwuid(status.st_uid);
    if (user == nullptr) user = getpwnam("postgres");
    if (user == nullptr) user = getpwnam("nobody");
  }
  if (user == nullptr) {
    throw Error(ErrorCode::invalid,
                "PostgreSQL needs a user with a name in /etc/passwd to run as (not root)");
  }
  return identity_of(*user, geteuid() == 0);
}

pid_t launch(const std::vector<std::string>& command, const Identity& identity, int output,
             int folder, int death_signal) {
  auto words = command;
  auto environment = child_environment();
  const auto arguments = pointers_to(words);
  const auto variables = pointers_to(environment);
  const pid_t parent = getpid();
  const pid_t child = fork_child();
  if (child == 0) {
    run_child(const_cast<char**>(arguments.data()), const_cast<char**>(variables.data()), identity,
              output, folder, death_signal, parent);
  }
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return status;
}

int wait_for(pid_t child, const std::stop_token& stop) {
  constexpr std::chrono::milliseconds interval{10};
  constexpr std::chrono::seconds patience{1};
  std::optional<std::chrono::steady_clock::time_point> end;
  int status = 0;
  while (true) {
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended < 0 && errno != EINTR) return -1;
    if (ended > 0) break;
    const auto now = std::chrono::steady_clock::now();
    if (stop.stop_requested() && !end) {
      end = now + patience;
      signal_group(child, SIGTERM);
    } else if (end && now > *end) {
      signal_group(child, SIGKILL);
    }
    std::this_thread::sleep_for(interval);
  }
  if (end) end_group(child);
  return status;
}

std::string first_closed_folder(const std::vector<std::string>& folders, const Identity& identity) {
  const pid_t child = fork_child();
  if (child == 0) {
    if (!become(identity)) _exit(255);
    for (std::size_t i = 0; i < folders.size() && i < 254; ++i) {
      if (access(folders[i].c_str(), X_OK) != 0) _exit(static_cast<int>(i) + 1);
    }
    _exit(0);
  }
  const int status = wait_for(child);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
  if (code == 255) {
    throw Error(ErrorCode::invalid, "cannot become user " + identity.name + " to run PostgreSQL");
  }
  return code == 0 ? "" : folders[static_cast<std::size_t>(code) - 1];
}

}  // namespace metadata
