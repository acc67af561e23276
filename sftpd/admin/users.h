#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "metadata/database.h"
#include "metadata/repositories/users.h"

/// What several commands do with users. Each throws Failure with a sentence for the terminal where
/// the request cannot be met, and metadata::Error where the database fails.
namespace sftpd::admin {

/// 0 stands for no limit. Throws Failure for more than the database can count.
std::optional<std::uint64_t> quota_of(std::uint64_t bytes);

/// Adds a user with an account of their own.
void create_user(metadata::Database& database, const std::string& name, const std::string& password,
                 std::uint64_t quota_bytes);

metadata::User require_user(metadata::Database& database, const std::string& name);

void set_password(metadata::Database& database, metadata::UserId user, const std::string& password);

/// Whether there is any user.
bool has_users(metadata::Database& database);

}  // namespace sftpd::admin
