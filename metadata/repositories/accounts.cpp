#include "metadata/repositories/accounts.h"

#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

constexpr Statement create_account{"accounts_create", "SELECT shoebox_account_create($1)"};
// Primary key.
constexpr Statement select_root{"accounts_root", "SELECT root_node FROM accounts WHERE id = $1"};
// Primary keys of both tables; eight counters, whose sum may be more than a bigint, or, where
// somebody changed them, less than nothing.
constexpr Statement select_usage{
    "accounts_usage",
    "SELECT a.quota_bytes, greatest(0, least(sum(u.used_bytes), 9223372036854775807))::bigint,"
    " greatest(0, sum(u.files))::bigint"
    " FROM accounts a JOIN account_usage u ON u.account_id = a.id WHERE a.id = $1 GROUP BY a.id"};
constexpr Statement update_quota{"accounts_set_quota",
                                 "UPDATE accounts SET quota_bytes = $2 WHERE id = $1"};

std::optional<std::int64_t> quota_parameter(std::optional<std::uint64_t> quota_bytes) {
  if (!quota_bytes) return std::nullopt;
  return signed_size(*quota_bytes);
}

Error no_such_account() { return Error(ErrorCode::not_found, "no such account"); }

}  // namespace

AccountId Accounts::create(std::optional<std::uint64_t> quota_bytes) {
  const auto rows = transaction_.inner().run(create_account, quota_parameter(quota_bytes));
  return AccountId{rows[0][0].as<std::int64_t>()};
}

NodeId Accounts::root(AccountId account) {
  const auto rows = transaction_.inner().run(select_root, account);
  if (rows.empty() || rows[0][0].is_null()) throw no_such_account();
  return NodeId{rows[0][0].as<std::int64_t>()};
}

Usage Accounts::usage(AccountId account) {
  const auto rows = transaction_.inner().run(select_usage, account);
  if (rows.empty()) throw no_such_account();
  Usage usage;
  if (!rows[0][0].is_null()) usage.quota_bytes = rows[0][0].as<std::uint64_t>();
  usage.used_bytes = rows[0][1].as<std::uint64_t>();
  usage.files = rows[0][2].as<std::uint64_t>();
  return usage;
}

void Accounts::set_quota(AccountId account, std::optional<std::uint64_t> quota_bytes) {
  const auto rows = transaction_.inner().run(update_quota, account, quota_parameter(quota_bytes));
  if (rows.affected_rows() == 0) throw no_such_account();
}

}  // namespace metadata
