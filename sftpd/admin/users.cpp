#include "sftpd/admin/users.h"

#include <fmt/format.h>

#include <limits>

#include "metadata/repositories/accounts.h"
#include "sftpd/admin/context.h"
#include "sftpd/auth/password.h"

namespace sftpd::admin {

using metadata::Transaction;
using metadata::Users;

std::optional<std::uint64_t> quota_of(std::uint64_t bytes) {
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  if (bytes > most) throw Failure("this quota is too large: the most is 8191P; 0 is no limit");
  return bytes == 0 ? std::nullopt : std::optional(bytes);
}

void create_user(metadata::Database& database, const std::string& name, const std::string& password,
                 std::uint64_t quota_bytes) {
  const auto quota = quota_of(quota_bytes);
  const std::string hash = auth::hash_password(password);
  try {
    database.transact([&](Transaction& tx) {
      const auto account = metadata::Accounts(tx).create(quota);
      Users(tx).create(account, name, hash);
    });
  } catch (const metadata::Error& error) {
    if (error.code() == metadata::ErrorCode::already_exists) {
      throw Failure(fmt::format("there is a user {} already", name));
    }
    if (error.code() == metadata::ErrorCode::invalid) {
      throw Failure(fmt::format(
          "'{}' cannot be a login name: use 1 to 64 letters, digits, '.', '_', '-' or '@'", name));
    }
    throw;
  }
}

metadata::User require_user(metadata::Database& database, const std::string& name) {
  auto user = database.query([&](Transaction& tx) { return Users(tx).find(name); });
  if (!user) throw Failure(fmt::format("there is no user {}", name));
  return *user;
}

void set_password(metadata::Database& database, metadata::UserId user,
                  const std::string& password) {
  const std::string hash = auth::hash_password(password);
  database.transact([&](Transaction& tx) { Users(tx).set_password_hash(user, hash); });
}

bool has_users(metadata::Database& database) {
  return database.query([](Transaction& tx) { return !Users(tx).list("", 1).empty(); });
}

}  // namespace sftpd::admin
