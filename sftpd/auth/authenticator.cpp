#include "sftpd/auth/authenticator.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <exception>
#include <span>

#include "sftpd/auth/memory_gate.h"
#include "sftpd/auth/public_key.h"
#include "sftpd/auth/worker_pool.h"
#include "sftpd/log/log.h"

namespace sftpd::auth {
namespace {

constexpr std::size_t name_length_max = 64;

/// As metadata::User says: what is no name never reaches the database.
bool possible_name(const std::string& name) {
  return !name.empty() && name.size() <= name_length_max &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '@' || c == '-';
         });
}

LoginResult refused(Refusal refusal) { return {.login = std::nullopt, .refusal = refusal}; }

LoginResult accepted(const metadata::User& user) {
  return {.login = Login{user.id, user.account, user.name, user.uid, user.gid, user.rates},
          .refusal = Refusal::none};
}

/// A hash that no password fits, for those who have none.
std::string make_dummy_hash(const PasswordCost& cost) {
  if (sodium_init() < 0) throw std::runtime_error("libsodium cannot be initialised");
  std::array<std::byte, 32> nobody_knows{};
  randombytes_buf(nobody_knows.data(), nobody_knows.size());
  return hash_password(base64_of(nobody_knows), cost);
}

/// Overwrites a password when it goes out of scope.
class Secret {
 public:
  explicit Secret(std::string text) : text_(std::move(text)) {}
  ~Secret() { sodium_memzero(text_.data(), text_.size()); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

class Authenticator::Impl {
 public:
  Impl(UserDirectory users, Options options)
      : users_(std::move(users)),
        options_(std::move(options)),
        dummy_hash_(make_dummy_hash(options_.cost)),
        memory_(options_.memory_max_bytes),
        throttle_(options_.throttle),
        password_pool_(options_.password_threads, options_.waiting_max),
        key_pool_(options_.key_threads, options_.waiting_max) {}

  storage::Future<LoginResult> check_password(std::string user, std::string password,
                                              std::string address) {
    auto secret = std::make_shared<const Secret>(std::move(password));
    if (!possible_name(user) || !acceptable_password(secret->text())) {
      throttle_.failed(address, "", options_.now());
      return storage::ready_future(refused(Refusal::bad_input));
    }
    if (!throttle_.allows(address, user, options_.now())) {
      return storage::ready_future(refused(Refusal::throttled));
    }
    return password_pool_.submit([this, secret, name = std::move(user), from = std::move(address)] {
      return decide_password(name, secret->text(), from);
    });
  }

  storage::Future<LoginResult> check_key(std::string user, std::string type, std::string blob) {
    if (!possible_name(user)) return storage::ready_future(refused(Refusal::bad_input));
    if (!accepted_key_type(type)) return storage::ready_future(refused(Refusal::key_type));
    return key_pool_.submit(
        [this, name = std::move(user), key_type = std::move(type), key_blob = std::move(blob)] {
          return decide_key(name, key_type, key_blob);
        });
  }

 private:
  LoginResult decide_password(const std::string& name, const std::string& password,
                              const std::string& address) {
    const std::optional<metadata::User> user = users_.find(name);
    const bool has_password = user && !user->password_hash.empty();
    const bool right = verify(has_password ? user->password_hash : dummy_hash_, password);
    const LoginResult result = !user            ? refused(Refusal::unknown_user)
                               : user->disabled ? refused(Refusal::disabled_user)
                               : !has_password  ? refused(Refusal::no_password)
                               : !right         ? refused(Refusal::wrong_password)
                                                : accepted(*user);
    if (!result.login) {
      throttle_.failed(address, name, options_.now());
      return result;
    }
    throttle_.succeeded(address, name, options_.now());
    renew_hash(*user, password);
    return result;
  }

  LoginResult decide_key(const std::string& name, const std::string& type,
                         const std::string& blob) {
    const std::optional<metadata::User> user = users_.find(name);
    // An unknown user costs the same two questions as one without this key.
    const bool has_key = users_.has_key(user ? user->id : metadata::UserId{}, type, blob);
    if (!user) return refused(Refusal::unknown_user);
    if (user->disabled) return refused(Refusal::disabled_user);
    if (!has_key) return refused(Refusal::unknown_key);
    return accepted(*user);
  }

  bool verify(const std::string& hash, const std::string& password) {
    const MemoryGate::Hold hold(memory_, memory_to_verify(hash));
    return verify_password(hash, password);
  }

  /// A login succeeds even if this fails.
  void renew_hash(const metadata::User& user, const std::string& password) {
    if (!needs_rehash(user.password_hash, options_.cost)) return;
    try {
      const MemoryGate::Hold hold(memory_, options_.cost.memory_bytes);
      users_.set_password_hash(user.id, hash_password(password, options_.cost));
      log::info("password rehashed", {{"user", user.name}});
    } catch (const std::exception& failure) {
      log::warning("password not rehashed", {{"user", user.name}, {"reason", failure.what()}});
    }
  }

  UserDirectory users_;
  Options options_;
  std::string dummy_hash_;
  MemoryGate memory_;
  LoginThrottle throttle_;
  WorkerPool password_pool_;  // The pools are last: their threads use what stands above.
  WorkerPool key_pool_;
};

Authenticator::Authenticator(UserDirectory users, Options options)
    : impl_(std::make_unique<Impl>(std::move(users), std::move(options))) {}
Authenticator::~Authenticator() = default;

storage::Future<LoginResult> Authenticator::check_password(std::string user, std::string password,
                                                           std::string address) {
  return impl_->check_password(std::move(user), std::move(password), std::move(address));
}

storage::Future<LoginResult> Authenticator::check_key(std::string user, std::string type,
                                                      std::string blob_base64) {
  return impl_->check_key(std::move(user), std::move(type), std::move(blob_base64));
}

}  // namespace sftpd::auth
