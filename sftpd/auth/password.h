#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Passwords as argon2id text (`$argon2id$v=19$m=...`). libsodium stops here. Safe from any thread;
/// hashing and verifying take tens of milliseconds and `memory_bytes` each.
namespace sftpd::auth {

/// What one hash costs. The defaults are libsodium's "interactive" ones.
struct PasswordCost {
  std::uint64_t passes = 2;
  std::size_t memory_bytes = std::size_t{64} << 20;
};

inline constexpr std::size_t password_length_max = 1024;

/// Whether this can be a password: 1 to 1,024 bytes without NUL.
bool acceptable_password(std::string_view password);

/// The text to store. Throws std::invalid_argument if the password is not acceptable, and
/// std::bad_alloc.
std::string hash_password(std::string_view password, const PasswordCost& cost = {});

/// False also for a text that is no hash.
bool verify_password(const std::string& hash, std::string_view password);

/// Whether `hash` was made with other parameters than `cost` asks for.
bool needs_rehash(const std::string& hash, const PasswordCost& cost);

/// Bytes that verifying `hash` takes, from its own parameters; 0 if it is no hash.
std::size_t memory_to_verify(const std::string& hash);

}  // namespace sftpd::auth
