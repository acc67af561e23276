#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "metadata/ids.h"
#include "metadata/repositories/versions.h"
#include "metadata/transaction.h"

namespace metadata {

/// An object of the store as the database knows it.
struct ObjectRow {
  AccountId account;
  ObjectId id;
  std::string key;
  std::string state;  ///< staging, live, dead, reaping, gone
  std::uint64_t size = 0;
  std::string etag;
  std::string upload;  ///< the store's multipart upload id, while there is one
  std::optional<Sha256> sha256;
  bool damaged = false;  ///< somebody read other bytes than those of its checksum
};

/// Rows of `objects`: each is committed before the first byte of its object is sent. All times are
/// the database's clock.
class Objects {
 public:
  explicit Objects(Transaction& transaction) : transaction_(transaction) {}

  /// Inserts one `staging` row a key, leased for `lease`. In the order of `keys`.
  std::vector<ObjectId> reserve(AccountId account, const std::vector<std::string>& keys,
                                std::chrono::seconds lease);

  /// Prolongs the leases of rows that are still `staging`; returns how many were.
  int renew(AccountId account, const std::vector<ObjectId>& ids, std::chrono::seconds lease);

  /// Notes the multipart upload that the store began for a staging object.
  void set_upload(AccountId account, ObjectId id, const std::string& upload);

  /// Gives up staging objects: `dead` at once, so that the collector deletes them soon.
  void discard(AccountId account, const std::vector<ObjectId>& ids);

  /// Its bytes in the store are not those of its checksum: find_duplicate() passes it over.
  void mark_damaged(AccountId account, ObjectId id);
  /// They are again: it was restored.
  void mark_sound(AccountId account, ObjectId id);

  /// A live object of this account with the same content, not known to be damaged.
  std::optional<ObjectRow> find_duplicate(AccountId account, const Sha256& sha256,
                                          std::uint64_t size);

  /// Claims up to `limit` objects for deletion (state becomes `reaping`): dead for longer than
  /// `keep_dead`, or staging with a lease that ended `grace` ago, or reaping already (a crash).
  /// Commit before touching the store. Rows claimed by another running transaction are skipped.
  std::vector<ObjectRow> claim_for_deletion(std::chrono::seconds keep_dead,
                                            std::chrono::seconds grace, int limit);

  /// The objects are deleted from the store: `gone`, remembered for a second deletion after a day.
  void mark_gone(const std::vector<ObjectRow>& rows);

  /// For fsck: up to `limit` rows with ids above `after` in (account, id) order, any state but
  /// gone.
  std::vector<ObjectRow> scan(AccountId after_account, ObjectId after, int limit);
  /// Which of these keys are known in any state but gone.
  std::vector<std::string> known_keys(const std::vector<std::string>& keys);

 private:
  Transaction& transaction_;
};

}  // namespace metadata
