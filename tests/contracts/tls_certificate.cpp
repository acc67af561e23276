#include "tests/contracts/tls_certificate.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>

namespace contracts {
namespace {

template <auto free_function>
struct Free {
  template <class T>
  void operator()(T* pointer) const {
    free_function(pointer);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using Stream = std::unique_ptr<std::FILE, Free<std::fclose>>;

void check(bool worked) {
  if (!worked) throw std::runtime_error("no certificate for the test");
}

Certificate make_certificate(EVP_PKEY* key) {
  Certificate certificate(X509_new());
  X509* raw = certificate.get();
  ASN1_INTEGER_set(X509_get_serialNumber(raw), 1);
  X509_set_version(raw, X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(raw), -60);
  X509_gmtime_adj(X509_getm_notAfter(raw), 3600);
  X509_set_pubkey(raw, key);
  X509_NAME* name = X509_get_subject_name(raw);
  const auto* text = reinterpret_cast<const unsigned char*>("shoebox test");
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
  X509_set_issuer_name(raw, name);
  const Extension address(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1"));
  check(address && X509_add_ext(raw, address.get(), -1) == 1);
  check(X509_sign(raw, key, EVP_sha256()) > 0);
  return certificate;
}

}  // namespace

void write_tls_certificate(const std::filesystem::path& certificate,
                           const std::filesystem::path& key) {
  const Key pair(EVP_EC_gen("P-256"));
  check(pair != nullptr);
  const Stream certificate_file(std::fopen(certificate.c_str(), "w"));
  const Stream key_file(std::fopen(key.c_str(), "w"));
  check(certificate_file && key_file);
  check(PEM_write_X509(certificate_file.get(), make_certificate(pair.get()).get()) == 1);
  check(PEM_write_PrivateKey(key_file.get(), pair.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
        1);
}

}  // namespace contracts
