#include "sftpd/ssh/host_keys.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "sftpd/auth/public_key.h"
#include "sftpd/ssh/handles.h"

namespace sftpd::ssh {
namespace {

namespace fs = std::filesystem;

struct Kind {
  const char* file_name;
  enum ssh_keytypes_e type;
  int bits;
};
constexpr std::array<Kind, 3> generated{{{"ssh_host_ed25519_key", SSH_KEYTYPE_ED25519, 0},
                                         {"ssh_host_ecdsa_key", SSH_KEYTYPE_ECDSA_P256, 256},
                                         {"ssh_host_rsa_key", SSH_KEYTYPE_RSA, 3072}}};

[[noreturn]] void fail(const fs::path& file, const std::string& reason) {
  throw std::runtime_error(fmt::format("host key {}: {}", file.string(), reason));
}

void check_file(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) fail(file, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) fail(file, "not a file");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    fail(file, "others can read it: chmod 600 it, and make a new one if others are about");
  }
}

/// Ed25519, ECDSA and RSA in our order of preference.
int rank(const HostKey& key) {
  if (key.type == "ssh-ed25519") return 0;
  return key.type == "ssh-rsa" ? 2 : 1;
}

HostKey read_key(const fs::path& file) {
  check_file(file);
  ssh_key raw = nullptr;
  if (ssh_pki_import_privkey_file(file.c_str(), nullptr, nullptr, nullptr, &raw) != SSH_OK) {
    fail(file, "not a private key without a passphrase");
  }
  const KeyHandle key(raw);
  char* text = nullptr;
  if (ssh_pki_export_pubkey_base64(key.get(), &text) != SSH_OK) fail(file, "has no public part");
  const TextHandle base64(text);
  const char* type = ssh_key_type_to_char(ssh_key_type(key.get()));
  if (ssh_key_is_private(key.get()) == 0 || type == nullptr) fail(file, "not a private key");
  const std::string line = fmt::format("{} {}", type, base64.get());
  try {
    const auto parsed = auth::parse_authorized_key(line);
    if (parsed.type.starts_with("sk-")) fail(file, "a security key cannot be a host key");
    return {file, parsed.type, parsed.fingerprint, line};
  } catch (const std::invalid_argument& failure) {
    fail(file, failure.what());
  }
}

/// Writes the key beside its place and moves it there, so that there is never half a key.
void write_key(ssh_key key, const fs::path& file) {
  const fs::path draft = file.string() + ".new";
  ::unlink(draft.c_str());
  const FileDescriptor made(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (made.number() < 0) fail(draft, std::strerror(errno));
  // libssh truncates the file and so keeps the mode that it was made with.
  if (ssh_pki_export_privkey_file(key, nullptr, nullptr, nullptr, draft.c_str()) != SSH_OK) {
    fail(draft, "cannot be written");
  }
  if (::fsync(made.number()) != 0 || ::rename(draft.c_str(), file.c_str()) != 0) {
    fail(file, std::strerror(errno));
  }
}

void generate(const Kind& kind, const fs::path& file) {
  ssh_key raw = nullptr;
  if (ssh_pki_generate(kind.type, kind.bits, &raw) != SSH_OK) fail(file, "cannot be generated");
  const KeyHandle key(raw);
  write_key(key.get(), file);
}

}  // namespace

HostKeys HostKeys::load(const std::vector<fs::path>& files) {
  HostKeys loaded;
  for (const auto& file : files) loaded.keys_.push_back(read_key(file));
  if (loaded.keys_.empty()) throw std::runtime_error("no host key is configured");
  std::sort(loaded.keys_.begin(), loaded.keys_.end(),
            [](const HostKey& a, const HostKey& b) { return rank(a) < rank(b); });
  for (std::size_t i = 1; i < loaded.keys_.size(); ++i) {
    if (rank(loaded.keys_[i - 1]) == rank(loaded.keys_[i])) {
      fail(loaded.keys_[i].file, "there is another one of this kind");
    }
  }
  return loaded;
}

HostKeys HostKeys::load_or_generate(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const Kind& kind : generated) {
    const fs::path file = directory / kind.file_name;
    if (!fs::exists(file)) generate(kind, file);
    files.push_back(file);
  }
  return load(files);
}

}  // namespace sftpd::ssh
