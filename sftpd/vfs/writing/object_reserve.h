#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "metadata/database.h"
#include "metadata/ids.h"

namespace sftpd::vfs {

/// A `staging` row that waits for its object.
struct ReservedObject {
  metadata::ObjectId id;
  std::string key;
};

/// Object rows committed ahead of their bytes, a few at a time, so that an upload does not pay a
/// transaction of its own for it. Renews the leases of all that are taken, on a thread of its own.
/// Safe from any thread; calls may wait for the database.
class ObjectReserve {
 public:
  /// `database` must outlive it.
  ObjectReserve(metadata::Database& database, std::string key_prefix, std::chrono::seconds lease);
  /// Gives unused rows to the collector.
  ~ObjectReserve();
  ObjectReserve(const ObjectReserve&) = delete;
  ObjectReserve& operator=(const ObjectReserve&) = delete;

  /// Throws metadata::Error.
  ReservedObject take(metadata::AccountId account);

  /// Whether this process is writing the object, or has given it up and could not say so yet.
  bool holds(metadata::AccountId account, metadata::ObjectId id);

  /// The object was published: its row is no longer staging.
  void published(metadata::AccountId account, metadata::ObjectId id);

  /// The object will not be published: the collector may delete it. Does not throw: where the
  /// database does not answer it is said again, or what is left of an upload that failed would look
  /// like one that a crash interrupted.
  void discard(metadata::AccountId account, metadata::ObjectId id) noexcept;

  /// The program ends: discard() leaves objects to their leases from now on. So an upload that
  /// fails because there was no time for it can be finished from its parts at the next start.
  void keep_discarded();

 private:
  using Key = std::pair<metadata::AccountId, metadata::ObjectId>;
  std::vector<ReservedObject> reserve(metadata::AccountId account);
  void give_to_collector(metadata::AccountId account, metadata::ObjectId id) noexcept;
  void renew_leases() noexcept;
  void discard_again() noexcept;
  void run();

  metadata::Database& database_;
  const std::string key_prefix_;
  const std::chrono::seconds lease_;
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stopping_ = false;
  bool keeps_discarded_ = false;
  std::map<metadata::AccountId, std::vector<ReservedObject>> spare_;
  std::set<Key> taken_;
  std::set<Key> given_up_;  ///< the database does not know yet
  std::thread renewer_;
};

}  // namespace sftpd::vfs
