#include "sftpd/vfs/writing/object_reserve.h"

#include "metadata/repositories/objects.h"
#include "storage/object_key.h"

namespace sftpd::vfs {

namespace {
/// Rows a transaction inserts: enough that a folder of photos seldom waits for one.
constexpr int batch = 16;
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
}

ReservedObject ObjectReserve::take(metadata::AccountId account) {
  std::unique_lock lock(mutex_);
  auto& spares = spare_[account];
  if (spares.empty()) {
    lock.unlock();
    std::vector<std::string> keys;
    for (int i = 0; i < batch; ++i) keys.push_back(storage::random_object_key(key_prefix_).text);
    const auto ids = database_.transact([&](metadata::Transaction& tx) {
      return metadata::Objects(tx).reserve(account, keys, lease_);
    });
    lock.lock();
    for (std::size_t i = 0; i < ids.size(); ++i) spares.push_back({ids[i], keys[i]});
  }
  ReservedObject object = std::move(spares.back());
  spares.pop_back();
  taken_.emplace(account, object.id);
  return object;
}

bool ObjectReserve::holds(metadata::AccountId account, metadata::ObjectId id) {
  std::lock_guard lock(mutex_);
  return taken_.contains({account, id});
}

void ObjectReserve::published(metadata::AccountId account, metadata::ObjectId id) {
  std::lock_guard lock(mutex_);
  taken_.erase({account, id});
}

void ObjectReserve::discard(metadata::AccountId account, metadata::ObjectId id) noexcept {
  {
    std::lock_guard lock(mutex_);
    taken_.erase({account, id});
    if (keeps_discarded_) return;
  }
  give_to_collector(account, id);
}

void ObjectReserve::keep_discarded() {
  std::lock_guard lock(mutex_);
  keeps_discarded_ = true;
}

void ObjectReserve::give_to_collector(metadata::AccountId account, metadata::ObjectId id) noexcept {
  try {
    database_.transact(
        [&](metadata::Transaction& tx) { metadata::Objects(tx).discard(account, {id}); },
        metadata::Durability::later);
  } catch (const std::exception&) {
    // The lease ends by itself.
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
  std::unique_lock lock(mutex_);
  while (!stop_changed_.wait_for(lock, lease_ / 5, [this] { return stopping_; })) {
    lock.unlock();
    renew_leases();
    lock.lock();
  }
}

}  // namespace sftpd::vfs
