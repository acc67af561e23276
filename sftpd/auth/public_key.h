#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace sftpd::auth {

/// The key types that may log in. RSA keys sign with SHA-2 only; certificates are not accepted.
inline constexpr std::array<std::string_view, 7> accepted_key_types{
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com"};

bool accepted_key_type(std::string_view type);

/// RSA keys below this are refused.
inline constexpr std::size_t rsa_bits_min = 2048;

/// A public key as `~/.ssh/id_*.pub` holds it.
struct AuthorizedKey {
  std::string type;
  std::string blob_base64;
  std::string fingerprint;  ///< "SHA256:..." without padding, as `ssh-keygen -l` prints it
  std::string comment;
};

/// Reads one line "type base64 [comment]" as of an authorized_keys file without options. Throws
/// std::invalid_argument with a sentence for the user: a private key, a type that is not accepted,
/// a damaged key, an RSA key that is too short.
AuthorizedKey parse_authorized_key(std::string_view line);

/// "SHA256:..." of the key's wire form.
std::string fingerprint_of(std::span<const std::byte> blob);
std::string base64_of(std::span<const std::byte> blob);

}  // namespace sftpd::auth
