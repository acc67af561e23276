#include "sftpd/vfs/hash.h"

#include <openssl/evp.h>

#include <new>

namespace sftpd::vfs {

metadata::Sha256 sha256_of(const std::string& bytes) {
  metadata::Sha256 hash{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(hash.data()), &size,
                 EVP_sha256(), nullptr) != 1) {
    throw std::bad_alloc();
  }
  return hash;
}

}  // namespace sftpd::vfs
