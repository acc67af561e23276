#include "metadata/database.h"
#include "sftpd/auth/authenticator.h"

namespace sftpd::auth {

UserDirectory users_of(metadata::Database& database) {
  return {
      .find =
          [&database](const std::string& name) {
            return database.query(
                [&](metadata::Transaction& tx) { return metadata::Users(tx).find(name); });
          },
      .has_key =
          [&database](metadata::UserId user, const std::string& type, const std::string& blob) {
            return database.query([&](metadata::Transaction& tx) {
              return metadata::Users(tx).has_key(user, type, blob);
            });
          },
      .set_password_hash =
          [&database](metadata::UserId user, const std::string& hash) {
            database.transact([&](metadata::Transaction& tx) {
              metadata::Users(tx).set_password_hash(user, hash);
            });
          },
  };
}

}  // namespace sftpd::auth
