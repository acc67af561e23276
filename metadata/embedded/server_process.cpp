#include "metadata/embedded/server_process.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "metadata/embedded/cluster_files.h"
#include "metadata/error.h"

namespace metadata {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds fast_shutdown{4};
constexpr seconds immediate_shutdown{4};

void signal_all(const std::vector<pid_t>& pids, int number) {
  for (const pid_t pid : pids) kill(pid, number);
}

}  // namespace

bool wait_until(seconds limit, const std::stop_token& stop, const std::function<bool()>& answer) {
  const auto end = steady_clock::now() + limit;
  while (!answer()) {
    if (stop.stop_requested() || steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return true;
}

void ServerProcess::start(const std::vector<std::string>& command, const Identity& identity,
                          int output, int folder) {
  std::unique_lock guard(mutex_);
  child_ = 0;
  ended_ = false;
  trouble_.clear();
  keeper_ = std::thread(
      [this, command, identity, output, folder] { keep(command, identity, output, folder); });
  changed_.wait(guard, [this] { return child_ > 0 || ended_; });
  if (!trouble_.empty()) throw Error(ErrorCode::unavailable, trouble_);
}

bool ServerProcess::is_running() const {
  const std::lock_guard guard(mutex_);
  return child_ > 0 && !ended_;
}

pid_t ServerProcess::pid() const {
  const std::lock_guard guard(mutex_);
  return ended_ ? 0 : child_;
}

void ServerProcess::keep(const std::vector<std::string>& command, const Identity& identity,
                         int output, int folder) {
  // We are the only thread that may signal or reap the child, as far as its number is concerned.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pid_t child = 0;
  {
    const std::lock_guard guard(mutex_);
    try {
      child_ = child = launch(command, identity, output, folder, SIGINT);
    } catch (const Error& error) {
      trouble_ = error.what();
      ended_ = true;
    }
  }
  changed_.notify_all();
  if (child <= 0) return;
  siginfo_t ended{};
  while (waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
  {
    // Its number stays taken until here, so that nobody signals a stranger.
    const std::lock_guard guard(mutex_);
    wait_for(child);
    ended_ = true;
  }
  changed_.notify_all();
}

bool ServerProcess::ended_within(seconds limit) {
  std::unique_lock guard(mutex_);
  return changed_.wait_for(guard, limit, [this] { return ended_; });
}

void ServerProcess::stop() {
  if (!keeper_.joinable()) return;
  for (const auto& [number, patience] :
       {std::pair{SIGINT, fast_shutdown}, std::pair{SIGQUIT, immediate_shutdown},
        std::pair{SIGKILL, immediate_shutdown}}) {
    {
      const std::lock_guard guard(mutex_);
      if (!ended_ && child_ > 0) kill(child_, number);
    }
    if (ended_within(patience)) break;
  }
  keeper_.join();
}

void stop_leftovers(const std::string& data, const std::stop_token& stop) {
  const auto nothing_left = [&] { return processes_in(data).empty(); };
  if (nothing_left()) return;
  if (const auto file = read_postmaster_file(data)) {
    const auto pids = processes_in(data);
    if (std::find(pids.begin(), pids.end(), file->pid) != pids.end()) kill(file->pid, SIGINT);
  }
  if (wait_until(fast_shutdown, stop, nothing_left)) return;
  for (const int number : {SIGQUIT, SIGKILL}) {
    if (stop.stop_requested()) break;
    signal_all(processes_in(data), number);
    if (wait_until(immediate_shutdown, stop, nothing_left)) return;
  }
  throw Error(ErrorCode::unavailable, "an old PostgreSQL still runs in " + data);
}

}  // namespace metadata
