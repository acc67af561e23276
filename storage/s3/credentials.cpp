#include "storage/s3/credentials.h"

#include "storage/error.h"

namespace storage::s3 {

std::optional<Credentials> credentials_from_environment(
    const std::function<const char*(const char*)>& lookup) {
  const auto read = [&](const char* name) -> std::string {
    const char* value = lookup(name);
    return value == nullptr ? "" : value;
  };
  Credentials credentials{.key_id = read("AWS_ACCESS_KEY_ID"),
                          .secret = read("AWS_SECRET_ACCESS_KEY"),
                          .session_token = read("AWS_SESSION_TOKEN")};
  if (credentials.key_id.empty() && credentials.secret.empty()) return std::nullopt;
  if (credentials.key_id.empty() || credentials.secret.empty()) {
    throw Error(ErrorCode::rejected,
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together");
  }
  return credentials;
}

}  // namespace storage::s3
