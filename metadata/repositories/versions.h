#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "metadata/ids.h"
#include "metadata/repositories/nodes.h"
#include "metadata/transaction.h"

namespace metadata {

using Sha256 = std::array<std::byte, 32>;

/// Of a whole object, as its bytes were on their way to the store.
struct Checksums {
  std::optional<Sha256> sha256{};
  std::optional<std::uint32_t> crc32c{};
};

/// Part of a stored object.
struct ObjectSlice {
  ObjectId object;
  std::string key;  ///< filled when loaded; ignored when published
  std::uint64_t offset = 0;
  std::uint64_t object_size = 0;  ///< filled when loaded; 0 when published: not known
  Checksums checksums{};          ///< filled when loaded, where they are known
};

/// One run of a file's bytes. Extents are ordered, do not overlap, and what none covers is zeros.
struct Extent {
  std::uint64_t offset = 0;  ///< in the file
  std::uint64_t length = 0;
  std::variant<ObjectSlice, std::string> source;  ///< slice, or the bytes themselves (inline)
};

struct Version {
  VersionId id;
  std::uint64_t size = 0;
  std::optional<Sha256> sha256;  ///< of the whole content, where it is known
  std::string mime;              ///< empty: not known
  std::vector<Extent> extents;
};

/// An object whose bytes are all stored and which now becomes `live`.
struct FinishedObject {
  ObjectId object;
  std::uint64_t size = 0;
  std::optional<Sha256> sha256;
  std::string etag;
  std::string mime;
  std::optional<std::uint32_t> crc32c{};
};

/// New content for a file, to be made visible in one step.
struct Publication {
  NodeId node;                 ///< one that the file has or had
  std::optional<FileId> file;  ///< none: whichever has the node
  std::uint64_t size = 0;
  std::optional<Sha256> sha256;
  std::string mime;
  std::vector<Extent> extents;
  std::vector<FinishedObject> finished;  ///< staging -> live; must cover the new objects in extents
  NodeChanges attributes;                ///< times and mode that travel with the content
  bool incomplete = false;
  UserId user;  ///< for the audit row
};

/// A file further on in a directory.
struct UpcomingFile {
  std::string name;
  std::optional<ObjectSlice> object;  ///< where its content begins, unless that is inline
};

struct PublishResult {
  NodeId node;  ///< the given one, or its successor
  VersionId version;
};

/// File contents over time.
class Versions {
 public:
  explicit Versions(Transaction& transaction) : transaction_(transaction) {}

  /// With extents, in file order.
  std::optional<Version> load(AccountId account, VersionId id);

  /// Those that the node has or had after `before` (none: all), the youngest first, `limit` at
  /// most.
  std::vector<VersionId> younger(AccountId account, NodeId node, std::optional<VersionId> before,
                                 int limit);

  /// The next `limit` files of a directory whose names are bytewise greater than `after`, in name
  /// order: what somebody who reads a directory file by file opens next.
  std::vector<UpcomingFile> upcoming(AccountId account, NodeId directory, const std::string& after,
                                     int limit);

  /// Publishes: locks the node (or its successor), turns finished objects live, pins the shared
  /// ones, inserts version and extents, stamps the replaced version, updates the node's size, times
  /// and quota, writes an audit row. mtime becomes now unless `attributes` sets it.
  /// Returns nothing if the node was removed meanwhile: then nothing changed, and the caller
  /// discards its objects. What is not one whole object is left for Flattening. One statement.
  /// Throws lease_lost, quota_exceeded.
  std::optional<PublishResult> publish(AccountId account, const Publication& publication);

  /// Deletes up to `limit` versions that were replaced (or whose node was removed) longer than
  /// `keep` ago, or replaced (not removed) when they were not a minute old, and marks objects that
  /// no extent names any more `dead`. Returns how many versions.
  int prune(std::chrono::seconds keep, int limit);

 private:
  Transaction& transaction_;
};

}  // namespace metadata
