#pragma once

#include <openssl/evp.h>

#include <memory>
#include <span>
#include <string>

#include "metadata/repositories/versions.h"

namespace sftpd::vfs {

/// SHA-256 of bytes that come piece by piece. A copy goes on from the same bytes. Throws
/// std::bad_alloc. Not thread-safe.
class Sha256Hasher {
 public:
  Sha256Hasher();
  Sha256Hasher(const Sha256Hasher& other);
  Sha256Hasher& operator=(const Sha256Hasher& other);
  Sha256Hasher(Sha256Hasher&& other) noexcept = default;
  Sha256Hasher& operator=(Sha256Hasher&& other) noexcept = default;
  ~Sha256Hasher() = default;

  void add(std::span<const std::byte> bytes);
  /// Of all bytes added; afterwards it is over.
  metadata::Sha256 finish();

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

metadata::Sha256 sha256_of(std::span<const std::byte> bytes);
metadata::Sha256 sha256_of(const std::string& bytes);

/// 64 lower-case digits.
std::string hexadecimal(const metadata::Sha256& hash);

}  // namespace sftpd::vfs
