#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "metadata/ids.h"
#include "sftpd/vfs/content/content.h"
#include "sftpd/vfs/reading/block_cache.h"
#include "sftpd/vfs/reading/object_check.h"

namespace sftpd::vfs {

/// How one handle reads: in order or here and there, and so how far ahead to fetch (design, section
/// 5).
///
/// The window doubles while reads follow each other. A client that pipelines sends them a little
/// out of order. Used by one thread at a time.
class Reader {
 public:
  explicit Reader(BlockCache& cache) : cache_(cache) {}
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  struct Plan {
    std::uint64_t granularity = 0;            ///< of requests to the store
    std::optional<storage::ByteRange> ahead;  ///< of the file, to be fetched now
  };
  Plan plan(std::uint64_t offset, std::uint64_t length, std::uint64_t file_size);

  /// The check of the object in which this handle is going to read. Null if it did not begin at the
  /// object's first byte, or nobody knows the object's hash.
  std::shared_ptr<ObjectCheck> check_of(ObjectChecks& checks, const Stored& place,
                                        metadata::AccountId account, metadata::NodeId node);

 private:
  void set_sequential(bool sequential);

  BlockCache& cache_;
  bool sequential_ = false;
  std::uint64_t next_ = 0;           ///< where a sequential client reads next
  std::uint64_t run_ = 0;            ///< bytes read in order so far
  std::uint64_t fetched_until_ = 0;  ///< what was fetched ahead ends here
  /// Of the objects read lately. They stay when they are over: a handle that was told once that an
  /// object is damaged is told so again.
  std::deque<std::shared_ptr<ObjectCheck>> checks_;
};

}  // namespace sftpd::vfs
