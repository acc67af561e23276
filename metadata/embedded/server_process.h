#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "metadata/embedded/child_process.h"

namespace metadata {

/// PostgreSQL as a child of this process. Safe to call from any thread, but start() and stop() by
/// one at a time.
class ServerProcess {
 public:
  ServerProcess() = default;
  /// stop()
  ~ServerProcess() { stop(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  /// As launch(); it gets SIGINT when this process dies. `output` may be closed afterwards. Throws
  /// Error unavailable.
  void start(const std::vector<std::string>& command, const Identity& identity, int output,
             int folder);
  bool is_running() const;
  /// 0 if it does not run.
  pid_t pid() const;
  /// A fast shutdown, and what is harder where that takes longer than some seconds.
  void stop();

 private:
  void keep(const std::vector<std::string>& command, const Identity& identity, int output,
            int folder);
  bool ended_within(std::chrono::seconds limit);

  // The keeper thread starts the server and waits for its end: the kernel tells the server when the
  // thread that started it is gone, so that thread must live as long as we do.
  std::thread keeper_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  pid_t child_ = 0;      // under mutex_
  bool ended_ = true;    // under mutex_
  std::string trouble_;  // under mutex_: why there is no child
};

/// Ends what a killed process left running in `data`. The server notices by itself that its parent
/// died (PR_SET_PDEATHSIG) and shuts down; the rest is for when it does not. Throws Error
/// unavailable if that does not help, or if `stop` is requested.
void stop_leftovers(const std::string& data, const std::stop_token& stop);

/// Asks until the answer is yes; false after `limit`, or when `stop` is requested.
bool wait_until(std::chrono::seconds limit, const std::stop_token& stop,
                const std::function<bool()>& answer);

}  // namespace metadata
