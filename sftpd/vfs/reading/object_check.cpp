#include "sftpd/vfs/reading/object_check.h"

#include <algorithm>
#include <new>
#include <thread>

#include "sftpd/log/log.h"
#include "sftpd/vfs/content/crc32c.h"
#include "sftpd/vfs/error.h"

namespace sftpd::vfs {

namespace {

/// Segments behind a gap: pipelined reads are out of order by a megabyte at most.
constexpr std::size_t ahead_max = 8;
/// Checksums kept: 48 bytes each.
constexpr std::size_t crcs_max = 65'536;
/// One hashes 1.5 GB/s, more than a connection's encryption.
constexpr unsigned hashers_max = 4;

}  // namespace

ObjectCheck::ObjectCheck(ObjectChecks& checks, CheckedObject object,
                         std::optional<std::uint32_t> crc)
    : checks_(checks), object_(std::move(object)), known_crc_(crc) {
  if (!known_crc_) hash_.emplace();
}

ObjectCheck::~ObjectCheck() { checks_.ended(object(), this); }

void ObjectCheck::offer(const std::vector<BlockCache::SegmentPtr>& segments) {
  std::vector<BlockCache::SegmentPtr> accepted;
  {
    std::lock_guard lock(mutex_);
    if (state_ != State::under_way || offered_ == object_.place.object_size) return;
    const std::size_t before = waiting_.size();
    for (const auto& segment : segments) {
      if (segment->offset <= offered_) {
        accept_locked(segment);
      } else if (ahead_.size() < ahead_max) {
        ahead_[segment->offset] = segment;
      }
    }
    while (!ahead_.empty() && ahead_.begin()->first <= offered_) {
      if (const auto segment = ahead_.begin()->second.lock()) accept_locked(segment);
      ahead_.erase(ahead_.begin());
    }
    accepted.assign(waiting_.begin() + static_cast<std::ptrdiff_t>(before), waiting_.end());
  }
  for (const auto& segment : accepted) {
    segment->when_ready([self = shared_from_this()] { self->go_on(); });
  }
}

void ObjectCheck::accept_locked(const BlockCache::SegmentPtr& segment) {
  const std::uint64_t end = segment->offset + segment->length;
  if (end <= offered_) return;
  offered_ = end;
  waiting_.push_back(segment);
}

bool ObjectCheck::covers_all() const {
  std::lock_guard lock(mutex_);
  return offered_ == object_.place.object_size;
}

/// Lets a hasher work, if there is something to hash and none does.
void ObjectCheck::go_on() {
  {
    std::lock_guard lock(mutex_);
    if (working_ || waiting_.empty() || !waiting_.front()->ready()) return;
    working_ = true;
  }
  checks_.hashers_.submit([self = shared_from_this()] { self->work(); });
}

BlockCache::SegmentPtr ObjectCheck::next_ready_locked() {
  if (waiting_.empty() || !waiting_.front()->ready()) return nullptr;
  auto segment = std::move(waiting_.front());
  waiting_.pop_front();
  return segment;
}

void ObjectCheck::work() noexcept {
  for (;;) {
    BlockCache::SegmentPtr segment;
    std::uint64_t from = 0;
    {
      std::lock_guard lock(mutex_);
      segment = next_ready_locked();
      working_ = segment != nullptr;
      if (!segment) return;
      from = hashed_ - segment->offset;
    }
    try {
      add(segment->bytes().bytes().subspan(static_cast<std::size_t>(from)));
    } catch (const std::exception&) {
      return decide(State::gave_up);  // Who asked for these bytes is told why.
    }
    {
      std::lock_guard lock(mutex_);
      hashed_ = segment->offset + segment->length;
      if (hashed_ < object_.place.object_size) continue;
    }
    State state = State::gave_up;
    try {
      state = verdict();
    } catch (const std::exception&) {
      // No memory for the last step: it stays unchecked.
    }
    return decide(state);
  }
}

void ObjectCheck::add(std::span<const std::byte> bytes) {
  crc_ = crc32c(crc_, bytes);
  if (hash_) hash_->add(bytes);
}

ObjectCheck::State ObjectCheck::verdict() {
  if (known_crc_) return crc_ == *known_crc_ ? State::good : State::damaged;
  return hash_->finish() == object_.checksums.sha256 ? State::good : State::damaged;
}

void ObjectCheck::decide(State state) {
  if (state == State::good && hash_) checks_.found_good(object(), crc_);
  if (state == State::damaged) checks_.found_damaged(object_);
  checks_.ended(object(), this);
  std::vector<std::function<void()>> told;
  {
    std::lock_guard lock(mutex_);
    state_ = state;
    waiting_.clear();
    ahead_.clear();
    told.swap(told_);
  }
  for (const auto& callback : told) callback();
}

void ObjectCheck::when_decided(std::function<void()> callback) {
  {
    std::lock_guard lock(mutex_);
    if (state_ == State::under_way) {
      told_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

void ObjectCheck::throw_if_damaged() const {
  std::lock_guard lock(mutex_);
  if (state_ != State::damaged) return;
  throw Error(ErrorCode::content_damaged,
              "object " + object_.place.key + " is not what was stored");
}

bool ObjectCheck::over() const {
  std::lock_guard lock(mutex_);
  return state_ == State::good || state_ == State::gave_up;
}

ObjectChecks::ObjectChecks(BlockCache& cache,
                           std::function<void(const CheckedObject&)> remember_damage)
    : cache_(cache),
      remember_damage_(std::move(remember_damage)),
      hashers_(static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, hashers_max))) {
}

ObjectChecks::~ObjectChecks() = default;

std::shared_ptr<ObjectCheck> ObjectChecks::begin(const CheckedObject& object) {
  std::shared_ptr<ObjectCheck> shared;  // Outlives the lock: the last one to let go calls ended().
  std::lock_guard lock(mutex_);
  auto& running = running_[object.place.object];
  shared = running.lock();
  if (shared && !shared->over()) return shared;
  auto crc = object.checksums.crc32c;
  if (const auto seen = crcs_.find(object.place.object); !crc && seen != crcs_.end()) {
    crc = seen->second;
  }
  auto check = std::make_shared<ObjectCheck>(*this, object, crc);
  running = check;
  return check;
}

void ObjectChecks::found_good(metadata::ObjectId object, std::uint32_t crc) {
  std::lock_guard lock(mutex_);
  if (!crcs_.emplace(object, crc).second) return;
  crcs_in_order_.push_back(object);
  if (crcs_in_order_.size() <= crcs_max) return;
  crcs_.erase(crcs_in_order_.front());
  crcs_in_order_.pop_front();
}

void ObjectChecks::found_damaged(const CheckedObject& object) {
  cache_.drop(object.place);
  log::error("stored content is damaged", {{"account", object.account.value},
                                           {"node", object.node.value},
                                           {"object", object.place.object.value},
                                           {"key", object.place.key},
                                           {"bytes", object.place.object_size},
                                           {"reason", "its checksum is not that of its upload"}});
  try {
    remember_damage_(object);
  } catch (const std::exception& failure) {
    log::warning("damage not remembered",
                 {{"object", object.place.object.value}, {"reason", failure.what()}});
  }
}

/// The next reader gets a check of its own.
void ObjectChecks::ended(metadata::ObjectId object, const ObjectCheck* check) {
  std::shared_ptr<ObjectCheck> current;  // Outlives the lock, as above.
  std::lock_guard lock(mutex_);
  const auto entry = running_.find(object);
  if (entry == running_.end()) return;
  current = entry->second.lock();
  if (!current || current.get() == check) running_.erase(entry);
}

}  // namespace sftpd::vfs
