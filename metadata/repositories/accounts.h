#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "metadata/ids.h"
#include "metadata/transaction.h"

namespace metadata {

struct Usage {
  std::uint64_t used_bytes = 0;              ///< sum of the sizes of all files
  std::uint64_t files = 0;                   ///< nodes of the account
  std::optional<std::uint64_t> quota_bytes;  ///< none: no limit
};

/// Tenants: each has one tree, one quota, and its users.
class Accounts {
 public:
  explicit Accounts(Transaction& transaction) : transaction_(transaction) {}

  /// Creates an account with an empty root directory (mode 0755).
  AccountId create(std::optional<std::uint64_t> quota_bytes);
  NodeId root(AccountId account);
  Usage usage(AccountId account);
  void set_quota(AccountId account, std::optional<std::uint64_t> quota_bytes);

 private:
  Transaction& transaction_;
};

}  // namespace metadata
