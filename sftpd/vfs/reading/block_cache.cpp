#include "sftpd/vfs/reading/block_cache.h"

#include <algorithm>

#include "sftpd/vfs/reading/disk_cache.h"

namespace sftpd::vfs {

void BlockCache::Segment::when_ready(std::function<void()> callback) {
  {
    std::lock_guard lock(mutex_);
    if (!ready_) {
      waiting_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

bool BlockCache::Segment::ready() const {
  std::lock_guard lock(mutex_);
  return ready_;
}

const storage::Payload& BlockCache::Segment::bytes() const {
  std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
  return payload_;
}

void BlockCache::Segment::finish(storage::Payload payload, std::exception_ptr failure) {
  std::vector<std::function<void()>> waiting;
  {
    std::lock_guard lock(mutex_);
    payload_ = std::move(payload);
    failure_ = std::move(failure);
    ready_ = true;
    waiting.swap(waiting_);
  }
  for (auto& callback : waiting) callback();
}

BlockCache::~BlockCache() { wait_until_idle(); }

void BlockCache::wait_until_idle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return under_way_ == 0; });
}

std::vector<BlockCache::SegmentPtr> BlockCache::get(const Place& place, storage::ByteRange range,
                                                    std::uint64_t granularity) {
  std::vector<SegmentPtr> covering;
  const std::uint64_t end = std::min(range.offset + range.length, place.object_size);
  std::unique_lock lock(mutex_);
  std::uint64_t at = range.offset;
  while (at < end) {
    auto& segments = objects_[place.object].segments;
    auto next = segments.upper_bound(at);
    const std::uint64_t next_begin = next == segments.end() ? place.object_size : next->first;
    std::uint64_t before_end = 0;
    if (next != segments.begin()) {
      auto& entry = std::prev(next)->second;
      before_end = entry.segment->offset + entry.segment->length;
      if (before_end > at) {
        lru_.splice(lru_.begin(), lru_, entry.used);
        covering.push_back(entry.segment);
        counts_.memory_hits.add();
        at = before_end;
        continue;
      }
    }
    const auto kept = on_disk(place, at);
    std::uint64_t begin = std::max(before_end, at / granularity * granularity);
    std::uint64_t stop =
        std::min({(at / granularity + 1) * granularity, next_begin, place.object_size});
    (kept ? counts_.disk_hits : counts_.misses).add();
    if (kept) {
      begin = std::max(before_end, kept->offset);
      stop = std::min(next_begin, kept->offset + kept->length);
    }
    auto segment = add_locked(place, begin, stop);
    lock.unlock();
    fetch(place, segment, kept);
    lock.lock();
    covering.push_back(std::move(segment));
    at = stop;
  }
  return covering;
}

/// Whether the disk has the byte at `at`, and what around it.
std::optional<BlockCache::OnDisk> BlockCache::on_disk(const Place& place, std::uint64_t at) const {
  const auto found = disk_ ? disk_->find(place.key, at) : std::nullopt;
  if (!found) return {};
  return OnDisk{found->offset, found->length};
}

BlockCache::SegmentPtr BlockCache::add_locked(const Place& place, std::uint64_t begin,
                                              std::uint64_t end) {
  lru_.emplace_front(place.object, begin);
  auto segment = std::make_shared<Segment>();
  segment->offset = begin;
  segment->length = end - begin;
  objects_[place.object].segments.emplace(begin, Entry{segment, lru_.begin()});
  cached_ += segment->length;
  ++under_way_;
  make_room_locked();
  return segment;
}

void BlockCache::fetch(const Place& place, const SegmentPtr& segment,
                       const std::optional<OnDisk>& kept) {
  if (!kept) return fetch_from_store(place, segment);
  disk_->read(place.key, kept->offset,
              [this, place, segment, kept = *kept](std::optional<storage::Payload> bytes) {
                if (!bytes || bytes->size() != kept.length) return fetch_from_store(place, segment);
                auto wanted = bytes->slice(static_cast<std::size_t>(segment->offset - kept.offset),
                                           static_cast<std::size_t>(segment->length));
                fetched(place, segment, storage::ready_future(std::move(wanted)), Origin::disk);
              });
}

void BlockCache::fetch_from_store(const Place& place, const SegmentPtr& segment) {
  auto answer = store_.get(storage::ObjectKey{place.key}, {segment->offset, segment->length});
  answer.on_ready([this, place, segment, answer]() mutable {
    fetched(place, segment, std::move(answer), Origin::store);
  });
}

void BlockCache::fetched(const Place& place, const SegmentPtr& segment,
                         storage::Future<storage::Payload> answer, Origin origin) {
  storage::Payload payload;
  std::exception_ptr failure;
  try {
    payload = counted(answer.get());
    (origin == Origin::disk ? counts_.disk_bytes : counts_.store_bytes).add(payload.size());
    if (payload.size() != segment->length) {
      throw storage::Error(storage::ErrorCode::corrupted,
                           "an object is shorter than the database says");
    }
    // Before anybody can find out that it is damaged, and drop it.
    if (disk_ && origin == Origin::store) disk_->keep(place.key, segment->offset, payload);
  } catch (...) {
    failure = std::current_exception();
    std::lock_guard lock(mutex_);
    forget_locked(place.object, segment);
  }
  segment->finish(std::move(payload), failure);
  std::lock_guard lock(mutex_);
  --under_way_;
  make_room_locked();
  idle_.notify_all();
}

/// The same bytes, counted as long as anybody holds them.
storage::Payload BlockCache::counted(storage::Payload payload) {
  struct Held {
    storage::Payload payload;
    std::shared_ptr<BytesAlive> counter;
    Held(storage::Payload bytes, std::shared_ptr<BytesAlive> count)
        : payload(std::move(bytes)), counter(std::move(count)) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
      std::lock_guard lock(counter->mutex);
      counter->bytes -= payload.size();
    }
  };
  {
    std::lock_guard lock(counter_->mutex);
    counter_->bytes += payload.size();
  }
  const auto bytes = payload.bytes();
  auto held = std::make_shared<Held>(std::move(payload), counter_);
  return {std::shared_ptr<const void>(held, held.get()), bytes};
}

/// Nothing if it was dropped: another one may have its place.
void BlockCache::forget_locked(metadata::ObjectId object, const SegmentPtr& segment) {
  auto known = objects_.find(object);
  if (known == objects_.end()) return;
  auto entry = known->second.segments.find(segment->offset);
  if (entry == known->second.segments.end() || entry->second.segment != segment) return;
  cached_ -= segment->length;
  lru_.erase(entry->second.used);
  known->second.segments.erase(entry);
  if (known->second.segments.empty()) objects_.erase(known);
}

void BlockCache::make_room_locked() {
  auto last = lru_.end();
  while (cached_ > capacity_ && last != lru_.begin()) {
    --last;
    const auto [object, offset] = *last;
    const SegmentPtr segment = objects_.at(object).segments.at(offset).segment;
    if (!segment->ready()) continue;
    const auto keep = std::next(last);
    forget_locked(object, segment);
    last = keep;
  }
}

void BlockCache::drop(const Place& place) {
  if (disk_) disk_->drop(place.key);
  std::lock_guard lock(mutex_);
  const auto known = objects_.find(place.object);
  if (known == objects_.end()) return;
  for (const auto& [offset, entry] : known->second.segments) {
    cached_ -= entry.segment->length;
    lru_.erase(entry.used);
  }
  objects_.erase(known);
}

void BlockCache::sequential_reader_came() {
  std::lock_guard lock(mutex_);
  ++sequential_readers_;
}

void BlockCache::sequential_reader_left() {
  std::lock_guard lock(mutex_);
  --sequential_readers_;
}

std::size_t BlockCache::window_max() const {
  std::lock_guard lock(mutex_);
  return capacity_ / 2 / static_cast<std::size_t>(std::max(1, sequential_readers_));
}

bool BlockCache::has_room(std::size_t bytes) const {
  std::scoped_lock lock(mutex_, counter_->mutex);
  // What is alive and no longer cached is in the hands of slow readers.
  return counter_->bytes + bytes <= capacity_ + capacity_ / 2 && cached_ <= capacity_;
}

std::size_t BlockCache::used() const {
  std::lock_guard lock(counter_->mutex);
  return counter_->bytes;
}

}  // namespace sftpd::vfs
