#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "metadata/ids.h"
#include "metadata/repositories/versions.h"
#include "sftpd/vfs/content/hash.h"
#include "sftpd/vfs/executor.h"
#include "sftpd/vfs/reading/block_cache.h"

namespace sftpd::vfs {

class ObjectChecks;

/// What a check needs to know of an object.
struct CheckedObject {
  BlockCache::Place place;
  metadata::Checksums checksums;  ///< recorded when it was stored; one of them at least
  metadata::AccountId account;
  metadata::NodeId node;  ///< who asks, for the log
};

/// Compares an object's bytes with the checksum of what was stored, while somebody reads it from
/// its first byte to its last. Whoever reads it meanwhile shares it. Safe from any thread; hashing
/// happens on threads of its own.
class ObjectCheck : public std::enable_shared_from_this<ObjectCheck> {
 public:
  /// `crc` is that of the right bytes, if it is known: then SHA-256 is not computed.
  ObjectCheck(ObjectChecks& checks, CheckedObject object, std::optional<std::uint32_t> crc);
  ~ObjectCheck();
  ObjectCheck(const ObjectCheck&) = delete;
  ObjectCheck& operator=(const ObjectCheck&) = delete;

  metadata::ObjectId object() const { return object_.place.object; }

  /// A reader was given these segments. They may come a little out of order.
  void offer(const std::vector<BlockCache::SegmentPtr>& segments);
  /// Every byte has been offered: there will be a verdict, and who reads on has to wait for it.
  bool covers_all() const;

  /// Calls back once there is a verdict, or cannot be one because bytes could not be fetched; on
  /// another thread or at once.
  void when_decided(std::function<void()> callback);
  /// Throws content_damaged if that is the verdict.
  void throw_if_damaged() const;
  /// It is decided, and nothing is wrong with what was read.
  bool over() const;

 private:
  enum class State { under_way, good, damaged, gave_up };

  void accept_locked(const BlockCache::SegmentPtr& segment);
  void go_on();
  void work() noexcept;
  BlockCache::SegmentPtr next_ready_locked();
  void add(std::span<const std::byte> bytes);
  State verdict();
  void decide(State state);

  ObjectChecks& checks_;
  const CheckedObject object_;
  const std::optional<std::uint32_t> known_crc_;

  // Used by whoever runs work(), one at a time.
  std::uint32_t crc_ = 0;
  std::optional<Sha256Hasher> hash_;

  mutable std::mutex mutex_;                    ///< guards all below
  std::deque<BlockCache::SegmentPtr> waiting_;  ///< to be hashed, in order
  /// Behind a gap. Not kept alive: a reader that left a gap for good must not hold memory.
  std::map<std::uint64_t, std::weak_ptr<BlockCache::Segment>> ahead_;
  std::uint64_t offered_ = 0;  ///< all bytes before it were offered
  std::uint64_t hashed_ = 0;
  bool working_ = false;
  State state_ = State::under_way;
  std::vector<std::function<void()>> told_;
};

/// The checks of a process: which objects are being read through, and the checksums of those that
/// were. Safe from any thread.
class ObjectChecks {
 public:
  /// `cache` must outlive it, and be idle when it goes. `remember_damage` is called, on a thread
  /// that may wait, for each object found damaged.
  ObjectChecks(BlockCache& cache, std::function<void(const CheckedObject&)> remember_damage);
  ~ObjectChecks();

  /// A check for a reader at the object's first byte.
  std::shared_ptr<ObjectCheck> begin(const CheckedObject& object);

  /// Raises the alarm, and forgets the cached bytes. Waits for the database.
  void found_damaged(const CheckedObject& object);

 private:
  friend class ObjectCheck;
  void found_good(metadata::ObjectId object, std::uint32_t crc);
  void ended(metadata::ObjectId object, const ObjectCheck* check);

  BlockCache& cache_;
  const std::function<void(const CheckedObject&)> remember_damage_;
  std::mutex mutex_;
  std::unordered_map<metadata::ObjectId, std::weak_ptr<ObjectCheck>> running_;
  std::unordered_map<metadata::ObjectId, std::uint32_t>
      crcs_;                                      ///< of good objects, a bounded number
  std::deque<metadata::ObjectId> crcs_in_order_;  ///< oldest first
  Executor hashers_;                              ///< last: it goes before what its work uses
};

}  // namespace sftpd::vfs
