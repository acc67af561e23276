#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "metadata/database.h"
#include "metadata/session.h"

namespace metadata {

/// Sleeps; throws unavailable as soon as `give_up` is requested.
void pause_unless(const std::stop_token& give_up, std::chrono::milliseconds duration);

/// Sessions that no call is using, and how many there are at all.
class Database::Pool {
 public:
  Pool(Options options, Observer* observer);

  /// A session for one call, given back when destroyed (or closed, if it broke).
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Session> session);
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Session& session() { return *session_; }
    /// It is of no use any more: closes it, and tells the observer.
    void lose(const std::string& reason);

   private:
    Pool* pool_;
    std::unique_ptr<Session> session_;
  };

  /// Waits for a free session, then connects if need be, again and again until `give_up`.
  /// Throws unavailable.
  Lease acquire(std::chrono::steady_clock::time_point give_up);

  /// Sessions are those of a server from now on; the ones before are not used again.
  void begin_serving(ServerId server);

  Load load() const;
  std::uint64_t connections_made() const { return connections_made_; }
  /// Now, and on each new connection before it is used, the ids of nodes jump ahead: some may have
  /// been given out by commits that nobody waited for. A crash takes those back, and the sequence
  /// with them, but not what this process or another one knows about the nodes.
  void skip_lost_ids();
  const Options& options() const { return options_; }
  Observer& observer() { return observer_ ? *observer_ : silent_; }

 private:
  void take_slot();
  std::unique_ptr<Session> take_idle();
  std::optional<ServerId> server() const;
  std::unique_ptr<Session> connect(std::chrono::steady_clock::time_point give_up);
  void give_back(std::unique_ptr<Session> session);

  const Options options_;
  Observer silent_;
  Observer* const observer_;
  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::atomic<std::uint64_t> connections_made_ = 0;
  std::atomic<bool> skips_lost_ids_ = false;
  std::optional<ServerId> server_;
  int in_use_ = 0;
  int waiting_ = 0;
  std::vector<std::unique_ptr<Session>> idle_;
};

}  // namespace metadata
