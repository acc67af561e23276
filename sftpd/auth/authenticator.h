#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "metadata/repositories/users.h"
#include "sftpd/auth/login.h"
#include "sftpd/auth/login_throttle.h"
#include "sftpd/auth/password.h"
#include "storage/future.h"

namespace metadata {
class Database;
}

namespace sftpd::auth {

/// Where users are looked up. The functions are called from several threads, may wait, and throw
/// std::exception when they cannot answer.
struct UserDirectory {
  std::function<std::optional<metadata::User>(const std::string& name)> find;
  std::function<bool(metadata::UserId user, const std::string& type,
                     const std::string& blob_base64)>
      has_key;
  std::function<void(metadata::UserId user, const std::string& hash)> set_password_hash;
};

/// The users of the database, which must outlive what is made of it.
UserDirectory users_of(metadata::Database& database);

/// Decides who may log in.
///
/// Safe from any thread. Calls return at once; the work runs on a few threads of its own, and what
/// hashing takes at a time is bounded. Futures hold an answer always: they never throw. Unknown and
/// disabled users take as long as others. Destroying it refuses what still waits.
class Authenticator {
 public:
  struct Options {
    PasswordCost cost;  ///< of new hashes; hashes made with another one are renewed at login
    int password_threads = 2;
    int key_threads = 2;
    std::size_t memory_max_bytes = std::size_t{256} << 20;  ///< for all hashing at a time
    std::size_t waiting_max = 256;                          ///< tries; more are refused
    LoginThrottle::Options throttle;
    std::function<LoginThrottle::Clock::time_point()> now = LoginThrottle::Clock::now;
  };

  Authenticator(UserDirectory users, Options options);
  ~Authenticator();
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;

  /// `address` is the client's, numeric, without a port.
  storage::Future<LoginResult> check_password(std::string user, std::string password,
                                              std::string address);

  /// Whether this user may log in with this key: asked before the client signs, and again when its
  /// signature has been verified (which is the caller's part). Keys cannot be guessed: they are not
  /// throttled.
  storage::Future<LoginResult> check_key(std::string user, std::string type,
                                         std::string blob_base64);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sftpd::auth
