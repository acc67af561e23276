#include "sftpd/auth/login.h"

namespace sftpd::auth {

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::none:
      return "none";
    case Refusal::unknown_user:
      return "unknown_user";
    case Refusal::disabled_user:
      return "disabled_user";
    case Refusal::no_password:
      return "no_password";
    case Refusal::wrong_password:
      return "wrong_password";
    case Refusal::unknown_key:
      return "unknown_key";
    case Refusal::key_type:
      return "key_type";
    case Refusal::unusable_key:
      return "unusable_key";
    case Refusal::bad_input:
      return "bad_input";
    case Refusal::throttled:
      return "throttled";
    case Refusal::overloaded:
      return "overloaded";
    case Refusal::unavailable:
      return "unavailable";
  }
  return "unknown";
}

}  // namespace sftpd::auth
