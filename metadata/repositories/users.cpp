#include "metadata/repositories/users.h"

#include "metadata/names/server_locks.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

#define USER_COLUMNS                                                                     \
  "id, account_id, name, password_hash, disabled, uid, gid, shoebox_micros(created_at)," \
  " upload_rate_max, download_rate_max"

// Index users_name.
constexpr Statement select_user{"users_find", "SELECT " USER_COLUMNS " FROM users WHERE name = $1"};
// Index users_name, by keyset.
constexpr Statement select_users{
    "users_list", "SELECT " USER_COLUMNS " FROM users WHERE name > $1 ORDER BY name LIMIT $2"};
// The root is the user's too. Primary keys of accounts and nodes.
constexpr Statement insert_user{"users_create",
                                "WITH made AS (INSERT INTO users (account_id, name, password_hash)"
                                "   VALUES ($1, $2, $3) RETURNING *),"
                                " owned AS (UPDATE nodes n SET uid = made.uid, gid = made.gid"
                                "   FROM made JOIN accounts a ON a.id = made.account_id"
                                "   WHERE n.account_id = a.id AND n.id = a.root_node)"
                                " SELECT " USER_COLUMNS " FROM made"};
// Index users_id.
constexpr Statement update_hash{"users_set_password_hash",
                                "UPDATE users SET password_hash = $2 WHERE id = $1"};
constexpr Statement update_disabled{"users_set_disabled",
                                    "UPDATE users SET disabled = $2 WHERE id = $1"};
constexpr Statement update_rates{
    "users_set_rates",
    "UPDATE users SET upload_rate_max = $2, download_rate_max = $3 WHERE id = $1"};
constexpr Statement select_rates{
    "users_rates",
    "SELECT id, upload_rate_max, download_rate_max FROM users WHERE id = ANY ($1::bigint[])"};
constexpr Statement remove_user{"users_remove", "SELECT shoebox_user_remove($1)"};

// Index users_id, then user_keys_fingerprint by (account_id, user_id).
constexpr Statement select_keys{
    "users_keys",
    "SELECT k.id, k.type, k.blob, k.fingerprint, k.comment, shoebox_micros(k.created_at)"
    " FROM users u JOIN user_keys k ON k.account_id = u.account_id AND k.user_id = u.id"
    " WHERE u.id = $1 ORDER BY k.id"};
constexpr Statement insert_key{
    "users_add_key",
    "INSERT INTO user_keys (account_id, user_id, type, blob, fingerprint, comment)"
    " SELECT u.account_id, u.id, $2, $3, $4, $5 FROM users u WHERE u.id = $1"};
constexpr Statement delete_key{
    "users_remove_key",
    "DELETE FROM user_keys k USING users u"
    " WHERE u.id = $1 AND k.account_id = u.account_id AND k.user_id = u.id AND k.fingerprint = $2"};
constexpr Statement key_exists{
    "users_has_key",
    "SELECT EXISTS (SELECT 1 FROM users u"
    " JOIN user_keys k ON k.account_id = u.account_id AND k.user_id = u.id"
    " WHERE u.id = $1 AND k.type = $2 AND k.blob = $3)"};

std::optional<std::uint64_t> rate_of(const pqxx::field& field) {
  if (field.is_null()) return std::nullopt;
  return field.as<std::uint64_t>();
}

User user_of(const pqxx::row& row) {
  User user;
  user.id = UserId{row[0].as<std::int64_t>()};
  user.account = AccountId{row[1].as<std::int64_t>()};
  user.name = row[2].as<std::string>();
  user.password_hash = row[3].as<std::string>();
  user.disabled = row[4].as<bool>();
  user.uid = row[5].as<std::uint32_t>();
  user.gid = row[6].as<std::uint32_t>();
  user.created_at = Time{std::chrono::microseconds{row[7].as<std::int64_t>()}};
  user.rates = {rate_of(row[8]), rate_of(row[9])};
  return user;
}

PublicKey key_of(const pqxx::row& row) {
  PublicKey key;
  key.id = row[0].as<std::int64_t>();
  key.type = row[1].as<std::string>();
  key.blob_base64 = row[2].as<std::string>();
  key.fingerprint = row[3].as<std::string>();
  key.comment = row[4].as<std::string>();
  key.created_at = Time{std::chrono::microseconds{row[5].as<std::int64_t>()}};
  return key;
}

void expect_user(const pqxx::result& result) {
  if (result.affected_rows() == 0) throw Error(ErrorCode::not_found, "no such user");
}

}  // namespace

std::optional<User> Users::find(const std::string& name) {
  const auto rows = transaction_.inner().run(select_user, name);
  if (rows.empty()) return std::nullopt;
  return user_of(rows[0]);
}

std::vector<User> Users::list(const std::string& after_name, int limit) {
  std::vector<User> users;
  for (const auto& row : transaction_.inner().run(select_users, after_name, limit)) {
    users.push_back(user_of(row));
  }
  return users;
}

User Users::create(AccountId account, const std::string& name, const std::string& password_hash) {
  return user_of(transaction_.inner().run(insert_user, account, name, password_hash)[0]);
}

void Users::set_password_hash(UserId id, const std::string& password_hash) {
  expect_user(transaction_.inner().run(update_hash, id, password_hash));
}

void Users::set_disabled(UserId id, bool disabled) {
  expect_user(transaction_.inner().run(update_disabled, id, disabled));
}

void Users::set_rates(UserId id, const TransferRates& rates) {
  const auto parameter_of = [](const std::optional<std::uint64_t>& rate) {
    return rate ? std::optional(signed_size(*rate)) : std::nullopt;
  };
  expect_user(transaction_.inner().run(update_rates, id, parameter_of(rates.upload_max),
                                       parameter_of(rates.download_max)));
}

std::vector<std::pair<UserId, TransferRates>> Users::rates(const std::vector<UserId>& ids) {
  std::vector<std::int64_t> numbers;
  numbers.reserve(ids.size());
  for (const UserId id : ids) numbers.push_back(id.value);
  std::vector<std::pair<UserId, TransferRates>> all;
  for (const auto& row : transaction_.inner().run(select_rates, array_of(numbers))) {
    all.push_back({UserId{row[0].as<std::int64_t>()}, {rate_of(row[1]), rate_of(row[2])}});
  }
  return all;
}

void Users::remove(UserId id) {
  // Takes as long as the account is large. Its names are in no server's memory meanwhile.
  transaction_.inner().script("SET LOCAL statement_timeout = 0");
  transaction_.inner().script(distrust_names());
  transaction_.inner().run(remove_user, id);
}

std::vector<PublicKey> Users::keys(UserId id) {
  std::vector<PublicKey> keys;
  for (const auto& row : transaction_.inner().run(select_keys, id)) keys.push_back(key_of(row));
  return keys;
}

void Users::add_key(UserId id, const PublicKey& key) {
  expect_user(transaction_.inner().run(insert_key, id, key.type, key.blob_base64, key.fingerprint,
                                       key.comment));
}

bool Users::remove_key(UserId id, const std::string& fingerprint) {
  return transaction_.inner().run(delete_key, id, fingerprint).affected_rows() > 0;
}

bool Users::has_key(UserId id, const std::string& type, const std::string& blob_base64) {
  return transaction_.inner().run(key_exists, id, type, blob_base64)[0][0].as<bool>();
}

#undef USER_COLUMNS

}  // namespace metadata
