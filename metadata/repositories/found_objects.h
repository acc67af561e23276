#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "metadata/ids.h"
#include "metadata/repositories/versions.h"
#include "metadata/transaction.h"

namespace metadata {

/// An object of the store whose bytes no file has, as far as the database knows.
struct FoundObject {
  std::string key;
  bool has_row = false;  ///< it was being uploaded: `account` and `id` are its row's
  AccountId account;
  ObjectId id;
};

/// For a database that is older than its store: what was stored since.
class FoundObjects {
 public:
  explicit FoundObjects(Transaction& transaction) : transaction_(transaction) {}

  /// Those of `keys` that have no row, or one that says that they are still being uploaded.
  std::vector<FoundObject> among(const std::vector<std::string>& keys);

  /// A row for an object without one, `staging`, so that it can be published. Its id is `wanted` if
  /// that is free.
  ObjectId adopt(AccountId account, const std::string& key, ObjectId wanted);

  /// No file needs it: `dead`, and deleted in due time.
  void give_up(AccountId account, ObjectId id);

  /// The hash of the node's current content, if that is known and has this size.
  std::optional<Sha256> content_of(AccountId account, NodeId node, std::uint64_t size);

 private:
  Transaction& transaction_;
};

}  // namespace metadata
