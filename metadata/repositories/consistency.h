#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "metadata/ids.h"
#include "metadata/statement.h"
#include "metadata/transaction.h"

namespace metadata {

/// Rows that contradict each other. None can, unless this program or somebody's own SQL is wrong.
struct Contradiction {
  enum class Kind {
    version_missing,       ///< a file's content is not there, or has another size than the file
    extents_overlap,       ///< extents of a version overlap, or end after it
    extent_without_bytes,  ///< an extent names an object that is not live, or bytes after its end
    object_unused,         ///< a live object that no extent names; repairable
    usage_wrong,           ///< an account's counters are not the sums of its files; repairable
  };
  Kind kind = Kind::version_missing;
  AccountId account;
  std::int64_t id = 0;  ///< node, version, version, object, account
};

/// Questions that only a check of the whole asks: each reads whole tables, for as long as that
/// takes, and holds nobody up. To be asked in a transaction of their own (transact()): they change
/// its settings.
class Consistency {
 public:
  explicit Consistency(Transaction& transaction) : transaction_(transaction) {}

  /// Up to `limit` of each kind.
  std::vector<Contradiction> find(int limit);
  /// Only what repair() can mend.
  std::vector<Contradiction> find_repairable(int limit);

  /// Of these, unused live objects become dead, counters become the sums, if that is still so. The
  /// rest is left as it is: which side is right, no program can tell. Returns how many rows were
  /// put right. Holds up writers while it looks at these rows again; if there are none, nobody.
  int repair(const std::vector<Contradiction>& found);

  /// Files whose current content needs this object, with their paths.
  std::vector<std::string> files_using(AccountId account, ObjectId object, int limit);

 private:
  using Questions = std::vector<std::pair<Contradiction::Kind, const Statement*>>;
  std::vector<Contradiction> ask(const Questions& questions, int limit);

  Transaction& transaction_;
};

}  // namespace metadata
