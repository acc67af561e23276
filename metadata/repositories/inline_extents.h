#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "metadata/ids.h"
#include "metadata/repositories/versions.h"
#include "metadata/transaction.h"

namespace metadata {

/// Bytes that are in the database until a job moves them to the store.
struct InlineExtent {
  AccountId account;
  VersionId version;
  NodeId node;
  std::uint64_t offset = 0;  ///< in the file
  std::string bytes;
  std::string mime;  ///< of the version, if this is all of it
};

/// What waits to be moved, over all accounts.
struct InlineWaiting {
  std::uint64_t bytes = 0;
  std::chrono::seconds oldest{0};  ///< age of what has waited longest
};

/// Extents whose bytes are `inline`. Bytes are in one place at any time: an extent names its object
/// in the same statement that forgets them.
class InlineExtents {
 public:
  explicit InlineExtents(Transaction& transaction) : transaction_(transaction) {}

  /// Up to `limit` of those whose version is older than `age`, oldest first; without those that
  /// Versions::prune() will not keep.
  std::vector<InlineExtent> older_than(std::chrono::seconds age, int limit);

  /// The extent's bytes are now all of `object`: staging becomes live. False if the extent is gone
  /// or was moved already: then nothing changed. Throws lease_lost.
  bool move(const InlineExtent& extent, const FinishedObject& object);

  InlineWaiting waiting();

 private:
  Transaction& transaction_;
};

}  // namespace metadata
