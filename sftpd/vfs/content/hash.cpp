#include "sftpd/vfs/content/hash.h"

#include <fmt/format.h>

#include <new>

namespace sftpd::vfs {

namespace {
void expect(int result) {
  if (result != 1) throw std::bad_alloc();
}
}  // namespace

Sha256Hasher::Sha256Hasher() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  if (!context_) throw std::bad_alloc();
  expect(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

Sha256Hasher::Sha256Hasher(const Sha256Hasher& other)
    : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  if (!context_) throw std::bad_alloc();
  expect(EVP_MD_CTX_copy_ex(context_.get(), other.context_.get()));
}

Sha256Hasher& Sha256Hasher::operator=(const Sha256Hasher& other) {
  *this = Sha256Hasher(other);
  return *this;
}

void Sha256Hasher::add(std::span<const std::byte> bytes) {
  expect(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

metadata::Sha256 Sha256Hasher::finish() {
  metadata::Sha256 hash{};
  unsigned size = 0;
  expect(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(hash.data()), &size));
  return hash;
}

metadata::Sha256 sha256_of(std::span<const std::byte> bytes) {
  Sha256Hasher hasher;
  hasher.add(bytes);
  return hasher.finish();
}

metadata::Sha256 sha256_of(const std::string& bytes) {
  return sha256_of(std::as_bytes(std::span(bytes)));
}

std::string hexadecimal(const metadata::Sha256& hash) {
  std::string digits;
  for (const std::byte byte : hash) {
    digits += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  }
  return digits;
}

}  // namespace sftpd::vfs
