#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sftpd::ssh {

struct HostKey {
  std::filesystem::path file;
  std::string type;         ///< "ssh-ed25519" ...
  std::string fingerprint;  ///< "SHA256:..." without padding
  std::string public_line;  ///< "type base64", as known_hosts wants it after the host's name
};

/// The server's own keys: at most one each of Ed25519, ECDSA and RSA.
class HostKeys {
 public:
  /// Reads private keys without a passphrase. Throws std::runtime_error naming the file: missing,
  /// readable by others, damaged, two of a kind, RSA below 2,048 bits.
  static HostKeys load(const std::vector<std::filesystem::path>& files);

  /// Loads `ssh_host_ed25519_key`, `ssh_host_ecdsa_key` and `ssh_host_rsa_key` of the directory,
  /// after making those that are missing (mode 0600; RSA has 3,072 bits). The directory must exist.
  /// Throws std::runtime_error.
  static HostKeys load_or_generate(const std::filesystem::path& directory);

  /// In order of preference: Ed25519, ECDSA, RSA. Never empty.
  const std::vector<HostKey>& keys() const { return keys_; }

 private:
  std::vector<HostKey> keys_;
};

}  // namespace sftpd::ssh
