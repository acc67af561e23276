#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "metadata/ids.h"
#include "metadata/transaction.h"
#include "metadata/transfer_rates.h"

namespace metadata {

struct User {
  UserId id;
  AccountId account;
  std::string name;           ///< login name, 1 to 64 bytes of [A-Za-z0-9._@-], unique
  std::string password_hash;  ///< libsodium's argon2id text; empty: no password login
  bool disabled = false;
  std::uint32_t uid = 1000;  ///< shown as owner of this account's files
  std::uint32_t gid = 1000;
  Time created_at;
  TransferRates rates;
};

struct PublicKey {
  std::int64_t id = 0;
  std::string type;         ///< "ssh-ed25519" ...
  std::string blob_base64;  ///< as in authorized_keys
  std::string fingerprint;  ///< "SHA256:..." without padding
  std::string comment;
  Time created_at;
};

/// People who log in.
class Users {
 public:
  explicit Users(Transaction& transaction) : transaction_(transaction) {}

  std::optional<User> find(const std::string& name);
  std::vector<User> list(const std::string& after_name, int limit);
  /// Throws already_exists, invalid.
  User create(AccountId account, const std::string& name, const std::string& password_hash);
  void set_password_hash(UserId id, const std::string& password_hash);
  void set_disabled(UserId id, bool disabled);
  /// Throws invalid (between 0 and TransferRates::least). Servers follow within seconds.
  void set_rates(UserId id, const TransferRates& rates);
  /// Of those that exist among `ids`.
  std::vector<std::pair<UserId, TransferRates>> rates(const std::vector<UserId>& ids);
  /// Removes the user and, as the account's last one, the account with all its nodes; objects
  /// become dead.
  void remove(UserId id);

  std::vector<PublicKey> keys(UserId id);
  /// Throws already_exists.
  void add_key(UserId id, const PublicKey& key);
  bool remove_key(UserId id, const std::string& fingerprint);
  /// Whether this user has exactly this key.
  bool has_key(UserId id, const std::string& type, const std::string& blob_base64);

 private:
  Transaction& transaction_;
};

}  // namespace metadata
