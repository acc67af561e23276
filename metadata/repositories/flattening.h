#pragma once

#include <chrono>
#include <vector>

#include "metadata/ids.h"
#include "metadata/repositories/versions.h"
#include "metadata/transaction.h"

namespace metadata {

/// A file's current content that is not one whole object.
struct ScatteredVersion {
  AccountId account;
  NodeId node;
  VersionId version;
};

/// Joining contents that lie in several places into one object each. A claim is a time in the row:
/// nothing has to be given back, and after a crash another process tries again.
class Flattening {
 public:
  explicit Flattening(Transaction& transaction) : transaction_(transaction) {}

  /// Up to `limit` that nobody has replaced or claimed for `quiet`, oldest first. Nobody else gets
  /// them before `hold + quiet` from now. Commit before touching the store.
  std::vector<ScatteredVersion> claim(std::chrono::seconds quiet, std::chrono::seconds hold,
                                      int limit);

  /// This one, whatever its age. False if somebody else has it, or the file has other content.
  bool claim(const ScatteredVersion& scattered, std::chrono::seconds hold);

  /// Prolongs a claim; 0: gives it back. False if the file has other content by now.
  bool renew(const ScatteredVersion& scattered, std::chrono::seconds hold);

  /// There is nothing to join, or nothing worth it: not claimed again.
  void leave(const ScatteredVersion& scattered);

  /// The version's bytes are now all of `object`: staging becomes live, and what only this version
  /// named dies. Size, times and mode stay. False, and nothing changed, if the file has other
  /// content by now. Throws lease_lost.
  bool replace_extents(const ScatteredVersion& scattered, const FinishedObject& object);

 private:
  Transaction& transaction_;
};

}  // namespace metadata
