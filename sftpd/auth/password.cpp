#include "sftpd/auth/password.h"

#include <sodium.h>

#include <charconv>
#include <new>
#include <stdexcept>

namespace sftpd::auth {
namespace {

void start_libsodium() {
  static const int started = sodium_init();
  if (started < 0) throw std::runtime_error("libsodium cannot be initialised");
}

}  // namespace

bool acceptable_password(std::string_view password) {
  return !password.empty() && password.size() <= password_length_max &&
         password.find('\0') == std::string_view::npos;
}

std::string hash_password(std::string_view password, const PasswordCost& cost) {
  if (!acceptable_password(password)) {
    throw std::invalid_argument("a password has 1 to 1024 bytes and no NUL");
  }
  start_libsodium();
  char text[crypto_pwhash_STRBYTES];
  if (crypto_pwhash_str_alg(text, password.data(), password.size(), cost.passes, cost.memory_bytes,
                            crypto_pwhash_ALG_ARGON2ID13) != 0) {
    throw std::bad_alloc();
  }
  return text;
}

bool verify_password(const std::string& hash, std::string_view password) {
  if (!acceptable_password(password) || hash.empty() || hash.size() >= crypto_pwhash_STRBYTES) {
    return false;
  }
  start_libsodium();
  char text[crypto_pwhash_STRBYTES] = {};
  hash.copy(text, sizeof text - 1);
  return crypto_pwhash_str_verify(text, password.data(), password.size()) == 0;
}

bool needs_rehash(const std::string& hash, const PasswordCost& cost) {
  if (hash.size() >= crypto_pwhash_STRBYTES) return true;
  char text[crypto_pwhash_STRBYTES] = {};
  hash.copy(text, sizeof text - 1);
  return crypto_pwhash_str_needs_rehash(text, cost.passes, cost.memory_bytes) != 0;
}

std::size_t memory_to_verify(const std::string& hash) {
  // $argon2id$v=19$m=65536,t=2,p=1$salt$hash with m in KiB.
  const std::size_t at = hash.find("$m=");
  if (at == std::string::npos) return 0;
  std::size_t kibibytes = 0;
  const char* begin = hash.data() + at + 3;
  const auto parsed = std::from_chars(begin, hash.data() + hash.size(), kibibytes);
  if (parsed.ec != std::errc() || kibibytes > (std::size_t{1} << 32)) return 0;
  return kibibytes * 1024;
}

}  // namespace sftpd::auth
