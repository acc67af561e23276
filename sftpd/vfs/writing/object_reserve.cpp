#include "sftpd/vfs/writing/object_reserve.h"

#include <algorithm>

#include "metadata/repositories/objects.h"
#include "storage/object_key.h"

namespace sftpd::vfs {

namespace {
/// Rows a transaction inserts: enough that a folder of photos seldom waits for one.
constexpr int batch = 16;
constexpr std::chrono::milliseconds look_every{500};
}  // namespace

ObjectReserve::ObjectReserve(metadata::Database& database, std::string key_prefix,
                             std::chrono::seconds lease)
    : database_(database), key_prefix_(std::move(key_prefix)), lease_(lease) {
  renewer_ = std::thread([this] { run(); });
}

ObjectReserve::~ObjectReserve() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_changed_.notify_all();
  renewer_.join();
  for (const auto& [account, spares] : spare_) {
    for (const auto& spare : spares) give_to_collector(account, spare.id);
  }
  discard_again();
}

ReservedObject ObjectReserve::take(metadata::AccountId account) {
  std::unique_lock lock(mutex_);
  auto& spares = spare_[account];
  if (spares.empty()) {
    lock.unlock();
    const auto reserved = reserve(account);
    lock.lock();
    spares.insert(spares.end(), reserved.begin(), reserved.end());
  }
  ReservedObject object = std::move(spares.back());
  spares.pop_back();
  taken_.emplace(account, object.id);
  return object;
}

/// Where a COMMIT was in doubt there may be rows that nobody knows: their leases end.
std::vector<ReservedObject> ObjectReserve::reserve(metadata::AccountId account) {
  std::vector<ReservedObject> reserved;
  database_.transact_repeatable([&](metadata::Transaction& tx) {
    std::vector<std::string> keys;
    keys.reserve(batch);
    for (int i = 0; i < batch; ++i) keys.push_back(storage::random_object_key(key_prefix_).text);
    const auto ids = metadata::Objects(tx).reserve(account, keys, lease_);
    reserved.clear();
    for (std::size_t i = 0; i < ids.size(); ++i) reserved.push_back({ids[i], keys[i]});
  });
  return reserved;
}

bool ObjectReserve::holds(metadata::AccountId account, metadata::ObjectId id) {
  std::lock_guard lock(mutex_);
  return taken_.contains({account, id}) || given_up_.contains({account, id});
}

void ObjectReserve::published(metadata::AccountId account, metadata::ObjectId id) {
  std::lock_guard lock(mutex_);
  taken_.erase({account, id});
}

void ObjectReserve::discard(metadata::AccountId account, metadata::ObjectId id) noexcept {
  {
    std::lock_guard lock(mutex_);
    auto taken = taken_.extract({account, id});
    if (keeps_discarded_) return;
    given_up_.insert(std::move(taken));  // At once: holds() must not miss it.
  }
  give_to_collector(account, id);
}

void ObjectReserve::keep_discarded() {
  std::lock_guard lock(mutex_);
  keeps_discarded_ = true;
}

void ObjectReserve::give_to_collector(metadata::AccountId account, metadata::ObjectId id) noexcept {
  try {
    {
      std::lock_guard lock(mutex_);
      given_up_.insert({account, id});
    }
    database_.transact_repeatable(
        [&](metadata::Transaction& tx) { metadata::Objects(tx).discard(account, {id}); },
        metadata::Durability::later);
    std::lock_guard lock(mutex_);
    given_up_.erase({account, id});
  } catch (const std::exception&) {
    // The thread says it again.
  }
}

void ObjectReserve::discard_again() noexcept {
  try {
    std::map<metadata::AccountId, std::vector<metadata::ObjectId>> ids;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [account, id] : given_up_) ids[account].push_back(id);
    }
    for (const auto& [account, list] : ids) {
      database_.transact_repeatable(
          [&, account = account, &list = list](metadata::Transaction& tx) {
            metadata::Objects(tx).discard(account, list);
          });
      std::lock_guard lock(mutex_);
      for (const auto id : list) given_up_.erase({account, id});
    }
  } catch (const std::exception&) {
    // Again soon.
  }
}

void ObjectReserve::renew_leases() noexcept {
  try {
    std::map<metadata::AccountId, std::vector<metadata::ObjectId>> ids;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [account, id] : taken_) ids[account].push_back(id);
      for (const auto& [account, spares] : spare_) {
        for (const auto& spare : spares) ids[account].push_back(spare.id);
      }
    }
    for (const auto& [account, list] : ids) {
      if (list.empty()) continue;
      database_.transact([&, account = account, &list = list](metadata::Transaction& tx) {
        metadata::Objects(tx).renew(account, list, lease_);
      });
    }
  } catch (const std::exception&) {
    // Tried again soon; a lease that ends meanwhile shows when the object is published.
  }
}

void ObjectReserve::run() {
  const auto stopped = [this] { return stopping_; };
  auto renewed = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  // Often: other processes' jobs must not be faster once the database is back.
  while (!stop_changed_.wait_for(lock, std::min<std::chrono::milliseconds>(lease_ / 5, look_every),
                                 stopped)) {
    const bool any_given_up = !given_up_.empty();
    lock.unlock();
    if (any_given_up) discard_again();
    if (std::chrono::steady_clock::now() - renewed >= lease_ / 5) {
      renew_leases();
      renewed = std::chrono::steady_clock::now();
    }
    lock.lock();
  }
}

}  // namespace sftpd::vfs
