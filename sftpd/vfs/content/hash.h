#pragma once

#include <openssl/evp.h>

#include <memory>
#include <span>
#include <string>

#include "metadata/repositories/versions.h"

namespace sftpd::vfs {

/// SHA-256 of bytes that come piece by piece. Throws std::bad_alloc. Not thread-safe.
class Sha256Hasher {
 public:
  Sha256Hasher();
  void add(std::span<const std::byte> bytes);
  /// Of all bytes added; afterwards it is over.
  metadata::Sha256 finish();

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

metadata::Sha256 sha256_of(const std::string& bytes);

}  // namespace sftpd::vfs
