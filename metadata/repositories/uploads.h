#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "metadata/ids.h"
#include "metadata/repositories/nodes.h"
#include "metadata/transaction.h"

namespace metadata {

/// A running multipart upload that continues a file: enough to finish it after a crash. Which parts
/// it has, the store knows.
struct UploadRow {
  AccountId account;
  ObjectId object;
  NodeId node;  ///< one that the file had
  FileId file;
  UserId user;
  std::string key;
  std::string upload;             ///< the store's id
  std::uint64_t file_offset = 0;  ///< where the object's first byte lies in the file
  std::optional<VersionId> base;  ///< the file's version when it began
  /// The same for all objects that one open file wrote, one behind the other.
  std::int64_t chain = 0;
  int failures = 0;  ///< of attempts to finish it
};

/// Rows of `uploads`: what is needed to keep the received prefix after kill -9.
class Uploads {
 public:
  explicit Uploads(Transaction& transaction) : transaction_(transaction) {}

  /// Also notes the upload id on the object. Leased together with the object. May be called twice.
  /// `base`: the version that the writer began from, which may be older than the file's by now.
  void begin(AccountId account, ObjectId object, NodeId node, FileId file, UserId user,
             const std::string& upload, std::uint64_t file_offset, std::int64_t chain,
             std::optional<VersionId> base);
  /// The upload ended, one way or the other.
  void end(AccountId account, ObjectId object);

  /// Whether one for this file is running, here or elsewhere, or was interrupted lately.
  bool is_running(AccountId account, FileId file);

  /// Uploads whose process is gone: whole chains, of which every object's lease ended, `chains_max`
  /// at most. Of a file the chain that began last has its turn first; the others wait for it. Takes
  /// the leases over for `lease`, so that of several processes only one finishes each. What began
  /// last comes first.
  std::vector<UploadRow> claim_interrupted(std::chrono::seconds lease, int chains_max);

  /// Finishing them failed: counts that, though not beyond `failures_max`. They may be claimed
  /// again after `pause` the first time, then after twice as long each time, 64 times at most.
  void postpone(AccountId account, const std::vector<ObjectId>& objects, std::chrono::seconds pause,
                int failures_max);

 private:
  Transaction& transaction_;
};

}  // namespace metadata
