#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "metadata/database.h"
#include "metadata/session.h"

namespace metadata {

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
  std::optional<ServerId> server_;
  int in_use_ = 0;
  int waiting_ = 0;
  std::vector<std::unique_ptr<Session>> idle_;
};

}  // namespace metadata
