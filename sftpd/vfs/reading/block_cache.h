#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "metadata/ids.h"
#include "sftpd/vfs/counts.h"
#include "storage/object_store.h"

namespace sftpd::vfs {

class DiskCache;

/// Bytes of objects read lately, for the whole process. Objects never change, so nothing here is
/// ever stale.
///
/// It keeps segments: what one ranged GET brought. Segments of an object do not overlap, and one
/// that is still on its way is shared by all who want it. The least recently used go first; what a
/// reader still holds lives on, and counts, until it lets go. Safe from any thread.
class BlockCache {
 public:
  /// `store` must outlive it, and so must `disk`, a second tier, if there is one.
  BlockCache(storage::ObjectStore& store, std::size_t capacity, DiskCache* disk = nullptr)
      : store_(store), capacity_(capacity), disk_(disk), counter_(std::make_shared<BytesAlive>()) {}
  ~BlockCache();

  class Segment {
   public:
    std::uint64_t offset = 0;  ///< in the object
    std::uint64_t length = 0;

    /// Calls back once the bytes are there or cannot be had, on another thread or at once.
    void when_ready(std::function<void()> callback);
    bool ready() const;
    /// The bytes; throws what the store failed with. Only when ready.
    const storage::Payload& bytes() const;

   private:
    friend class BlockCache;
    void finish(storage::Payload payload, std::exception_ptr failure);
    mutable std::mutex mutex_;
    bool ready_ = false;
    storage::Payload payload_;
    std::exception_ptr failure_;
    std::vector<std::function<void()>> waiting_;
  };
  using SegmentPtr = std::shared_ptr<Segment>;

  struct Place {
    metadata::ObjectId object;
    std::string key;
    std::uint64_t object_size = 0;
  };

  /// The segments that cover the range, in order. What is missing is asked for, by requests that
  /// begin and end at multiples of `granularity` where nothing is cached beside them.
  std::vector<SegmentPtr> get(const Place& place, storage::ByteRange range,
                              std::uint64_t granularity);

  /// Forgets what is cached of an object: the next reader fetches it from the store again.
  void drop(const Place& place);

  /// Waits until nothing is being fetched.
  void wait_until_idle();

  /// Readers that read ahead share the cache: each may be window_max() bytes ahead.
  void sequential_reader_came();
  void sequential_reader_left();
  std::size_t window_max() const;

  /// Whether `bytes` more could be fetched ahead of need.
  bool has_room(std::size_t bytes) const;
  std::size_t capacity() const { return capacity_; }
  std::size_t used() const;
  const CacheCounts& counts() const { return counts_; }

 private:
  /// A segment that the disk has.
  struct OnDisk {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
  };
  /// Bytes alive, shared with the payloads, which may outlive the cache.
  struct BytesAlive {
    std::mutex mutex;
    std::size_t bytes = 0;
  };
  using Lru = std::list<std::pair<metadata::ObjectId, std::uint64_t>>;
  struct Entry {
    SegmentPtr segment;
    Lru::iterator used;
  };
  struct Object {
    std::map<std::uint64_t, Entry> segments;  ///< by offset
  };

  enum class Origin { store, disk };
  std::optional<OnDisk> on_disk(const Place& place, std::uint64_t at) const;
  SegmentPtr add_locked(const Place& place, std::uint64_t begin, std::uint64_t end);
  void fetch(const Place& place, const SegmentPtr& segment, const std::optional<OnDisk>& kept);
  void fetch_from_store(const Place& place, const SegmentPtr& segment);
  void fetched(const Place& place, const SegmentPtr& segment,
               storage::Future<storage::Payload> answer, Origin origin);
  storage::Payload counted(storage::Payload payload);
  void forget_locked(metadata::ObjectId object, const SegmentPtr& segment);
  void make_room_locked();

  storage::ObjectStore& store_;
  const std::size_t capacity_;
  DiskCache* const disk_;
  std::shared_ptr<BytesAlive> counter_;
  CacheCounts counts_;
  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::unordered_map<metadata::ObjectId, Object> objects_;
  Lru lru_;  ///< most recently used first
  std::size_t cached_ = 0;
  int under_way_ = 0;
  int sequential_readers_ = 0;
};

}  // namespace sftpd::vfs
