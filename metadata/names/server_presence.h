#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include "metadata/names/server_id.h"
#include "metadata/observer.h"

namespace metadata {

class NodeCache;
class Session;

/// Tells servers on one database of each other, so that one that is alone may trust its NodeCache.
///
/// Each holds an advisory lock, shared, on a connection of its own; who is alone holds it
/// exclusively too. A new one waits for the shared lock before it serves: the other sees somebody
/// wait, distrusts its cache, and lets the exclusive lock go. Each session of a server shows that
/// it is there as well (`enter_script`), so that a server that lost its presence is not overlooked,
/// and waits in the same way. Whoever else changes the tree takes the shared lock in its
/// transaction
/// (`distrust_names`). A thread of its own; other threads see the cache only.
class ServerPresence {
 public:
  struct Options {
    std::string url;
    ServerId server;  ///< that of all sessions of this process
    std::chrono::milliseconds heartbeat{500};
    /// For so long after a heartbeat was sent that was answered, nobody else can have come.
    std::chrono::milliseconds trust{2'000};
    /// Others that lost the database as well have come back by then: no need to begin in vain.
    std::chrono::milliseconds settle{5'000};
    /// A server that does not let go in this time has its connection ended.
    std::chrono::milliseconds patience{10'000};
  };

  /// Waits until no other server trusts its cache. `cache` and `observer` must outlive it. Throws
  /// Error (unavailable).
  ServerPresence(Options options, NodeCache& cache, Observer& observer);
  ~ServerPresence();
  ServerPresence(const ServerPresence&) = delete;
  ServerPresence& operator=(const ServerPresence&) = delete;

 private:
  void join(std::chrono::milliseconds patience);
  void run(const std::stop_token& stop);
  void beat();
  void begin_alone();
  bool others_are_there();
  void settle_doubts();
  void step_down();
  void leave() noexcept;
  void wait();

  const Options options_;
  NodeCache& cache_;
  Observer& observer_;
  const int wake_;                    ///< an eventfd
  std::unique_ptr<Session> session_;  ///< null: the database is away
  std::chrono::steady_clock::time_point joined_{};
  bool alone_ = false;
  std::jthread thread_;
};

}  // namespace metadata
