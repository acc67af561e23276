// A line of an authorized_keys file: refused with a sentence, or a key that reads the same again.

#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "sftpd/auth/public_key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using sftpd::auth::parse_authorized_key;
  try {
    const auto key = parse_authorized_key({reinterpret_cast<const char*>(bytes), size});
    const auto again = parse_authorized_key(key.type + " " + key.blob_base64);
    if (again.fingerprint != key.fingerprint) __builtin_trap();
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
