#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "metadata/ids.h"
#include "metadata/transfer_rates.h"

namespace sftpd::auth {

/// Somebody who has proved who they are.
struct Login {
  metadata::UserId user;
  metadata::AccountId account;
  std::string name;
  std::uint32_t uid = 1000;
  std::uint32_t gid = 1000;
  metadata::TransferRates rates;  ///< as they were at the login
};

/// Why somebody was refused: for the log, never for the client.
enum class Refusal {
  none,
  unknown_user,
  disabled_user,
  no_password,  ///< this user has no password login
  wrong_password,
  unknown_key,
  key_type,      ///< a type of key that is not accepted
  unusable_key,  ///< one that cannot be read, or a signature that is wrong or of SHA-1
  bad_input,     ///< a name or password that no user can have
  throttled,     ///< too many failures from this network or for this user
  overloaded,    ///< too many logins are waiting already
  unavailable,   ///< the database does not answer
};

/// The word for the log, such as "wrong_password".
const char* name_of(Refusal refusal);

struct LoginResult {
  std::optional<Login> login;
  Refusal refusal = Refusal::none;  ///< none exactly if `login` is set
  std::string trouble = {};         ///< with `unavailable`, what went wrong, for the log
};

}  // namespace sftpd::auth
