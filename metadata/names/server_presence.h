#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include "metadata/observer.h"

namespace metadata {

class NodeCache;
class Session;

/// The first statement of a transaction that changes the tree in another process than a server:
/// waits until no server trusts its memory, and none does until it ends.
inline constexpr char distrust_names[] = "SELECT pg_advisory_xact_lock_shared(1397244504, 2)";

/// Tells servers on one database of each other, so that one that is alone may trust its NodeCache.
///
/// Each holds an advisory lock, shared, on a connection of its own; who is alone holds it
/// exclusively too. A new one waits for the shared lock before it serves: the other sees somebody
/// wait, distrusts its cache, and lets the exclusive lock go. Whoever else changes the tree takes
/// the shared lock in its transaction (Users::remove). A thread of its own; other threads see the
/// cache only.
class ServerPresence {
 public:
  struct Options {
    std::string url;
    std::chrono::milliseconds heartbeat{500};
    /// For so long after a heartbeat was sent that was answered, nobody else can have come.
    std::chrono::milliseconds trust{2'000};
    /// Others that lost the database as well have come back by then.
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
