#pragma once

#include <functional>
#include <optional>
#include <string>

namespace storage::s3 {

/// Who signs. The secret and the token are never logged.
struct Credentials {
  std::string key_id{};
  std::string secret{};
  std::string session_token{};  ///< empty unless the key is temporary
};

/// Reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN through `lookup` (a
/// getenv). Nothing where neither key nor secret is set; throws Error(rejected) where only one is.
std::optional<Credentials> credentials_from_environment(
    const std::function<const char*(const char*)>& lookup);

}  // namespace storage::s3
