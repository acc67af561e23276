#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>

#include "metadata/error.h"
#include "metadata/observer.h"
#include "metadata/transaction.h"

namespace metadata {

class NodeCache;
class ServerPresence;

/// Whether a COMMIT waits for the disk. `later` is for what a later durable commit covers anyway
/// (the WAL is written in order): an entry whose content is only committed at CLOSE.
enum class Durability { now, later };

/// A pool of PostgreSQL connections with the statements that repositories use.
///
/// Safe to call from any thread. A call takes a connection for as long as its function runs; when
/// all are taken it waits, at most `acquire_timeout`. A connection that was lost is replaced; work
/// is repeated on the new one only if it cannot have been committed.
class Database {
 public:
  struct Options {
    std::string url;  ///< libpq connection string or URL; may carry a password: never logged
    int connections_max = 16;
    std::chrono::milliseconds acquire_timeout{30'000};
    /// For how long a lost server is tried again before a call fails with `unavailable`.
    std::chrono::milliseconds outage_max{20'000};
    /// Once it is requested, calls do not wait for the server any more: they fail with
    /// `unavailable`. An attempt to connect that is under way goes on for up to 5 s.
    std::stop_token give_up = {};
  };

  /// `observer` may be null; else it must outlive the database. Connects lazily.
  explicit Database(Options options, Observer* observer = nullptr);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Connections that calls have now, and calls that wait for one.
  struct Load {
    int in_use = 0;
    int waiting = 0;
    int connections_max = 0;
  };
  Load load() const;

  /// Sleeps; throws unavailable as soon as the options' `give_up` is requested.
  void pause(std::chrono::milliseconds duration) const;
  /// Connections made so far. After a crash of the server there is a new one, so where this has not
  /// changed, what was committed has not been lost either.
  std::uint64_t connections_made() const;

  /// From now on this process serves clients: names that it read may be kept in memory while no
  /// other server does. Waits until others know. Ids of nodes that a crash of the database took
  /// back are not given out again. Throws unavailable. Once.
  void begin_serving();
  /// Shared with all who use this database in this process.
  NodeCache& node_cache() { return *node_cache_; }

  /// Runs `work(Transaction&)` in one READ COMMITTED transaction and commits it. Serialization
  /// failures, deadlocks and connections that were already dead are retried with a fresh
  /// transaction, so `work` must have no effects of its own outside it. Returns what it returns.
  /// Throws metadata::Error only (besides what `work` throws itself, which rolls back).
  template <class Work>
  auto transact(Work&& work, Durability durability = Durability::now)
      -> std::invoke_result_t<Work&, Transaction&> {
    using Result = std::invoke_result_t<Work&, Transaction&>;
    if constexpr (std::is_void_v<Result>) {
      run([&](Transaction& tx) { work(tx); }, durability);
    } else {
      std::optional<Result> result;
      run([&](Transaction& tx) { result.emplace(work(tx)); }, durability);
      return std::move(*result);
    }
  }

  /// As transact(), for work that may be done twice: it is repeated also where the connection broke
  /// during COMMIT. Never throws in_doubt.
  template <class Work>
  void transact_repeatable(Work&& work, Durability durability = Durability::now) {
    run([&](Transaction& tx) { work(tx); }, durability, InDoubt::repeat);
  }

  /// Runs `work`, a single writing statement that is durable once it has been answered (unless it
  /// says otherwise itself), without BEGIN and COMMIT: two round trips less. Throws in_doubt where
  /// transact() would repeat it: when the connection breaks, it may have been committed.
  template <class Work>
  auto execute(Work&& work) -> std::invoke_result_t<Work&, Transaction&> {
    std::optional<std::invoke_result_t<Work&, Transaction&>> result;
    run_single([&](Transaction& tx) { result.emplace(work(tx)); }, Effects::writes);
    return std::move(*result);
  }

  /// Runs reading `work` without BEGIN and COMMIT, two round trips less: each statement for itself.
  template <class Work>
  auto query(Work&& work) -> std::invoke_result_t<Work&, Transaction&> {
    std::optional<std::invoke_result_t<Work&, Transaction&>> result;
    run_single([&](Transaction& tx) { result.emplace(work(tx)); }, Effects::none);
    return std::move(*result);
  }

 private:
  enum class Effects { none, writes };
  enum class InDoubt { report, repeat };
  void run(const std::function<void(Transaction&)>& work, Durability durability,
           InDoubt in_doubt = InDoubt::report);
  void run_single(const std::function<void(Transaction&)>& work, Effects effects);

  class Pool;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<NodeCache> node_cache_;
  std::unique_ptr<ServerPresence> presence_;  ///< null: does not serve
};

}  // namespace metadata
