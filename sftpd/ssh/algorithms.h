#pragma once

/// What we negotiate, in our order of preference; a client's order counts first (RFC 4253, 7.1).
/// libssh adds kex-strict-s-v00@openssh.com by itself.
namespace sftpd::ssh::algorithms {

/// Both names of curve25519: paramiko offers only the second. Group 18 is last: it is slow.
inline constexpr const char* key_exchange =
    "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"
    "ecdh-sha2-nistp521,diffie-hellman-group16-sha512,diffie-hellman-group14-sha256,"
    "diffie-hellman-group18-sha512";

inline constexpr const char* host_keys =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,"
    "rsa-sha2-256";

/// AES-GCM first: with AES instructions it is the cheapest.
inline constexpr const char* ciphers =
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,"
    "aes192-ctr,aes128-ctr";

/// The plain ones are for libssh2 before 1.11.
inline constexpr const char* macs =
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512";

/// Signatures of users' keys; no SHA-1, no certificates.
inline constexpr const char* user_keys =
    "ssh-ed25519,sk-ssh-ed25519@openssh.com,ecdsa-sha2-nistp256,"
    "sk-ecdsa-sha2-nistp256@openssh.com,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,"
    "rsa-sha2-256";

/// Photos do not shrink, and what expands without bound is a risk.
inline constexpr const char* compression = "none";

}  // namespace sftpd::ssh::algorithms
