/* A security key without hardware, for OpenSSH's SecurityKeyProvider (its PROTOCOL.u2f): the private
 * key is its own handle. Only for tests. Built by __init__.py. */

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { api_version = 0x000a0000, algorithm_ecdsa = 0, algorithm_ed25519 = 1, failed = -1 };
enum { flag_user_present = 1, ed25519_size = 32, scalar_size = 32, point_size = 65 };

/* As OpenSSH 9 lays them out; the interface is versioned. */
struct enrolled {
  uint8_t flags;
  uint8_t *public_key;
  size_t public_key_size;
  uint8_t *key_handle;
  size_t key_handle_size;
  uint8_t *signature;
  size_t signature_size;
  uint8_t *certificate;
  size_t certificate_size;
  uint8_t *authenticator_data;
  size_t authenticator_data_size;
};
struct signature {
  uint8_t flags;
  uint32_t counter;
  uint8_t *r;
  size_t r_size;
  uint8_t *s;
  size_t s_size;
};

uint32_t sk_api_version(void) { return api_version; }

static uint8_t *copy_of(const uint8_t *bytes, size_t size) {
  uint8_t *copy = malloc(size);
  if (copy) memcpy(copy, bytes, size);
  return copy;
}

int sk_enroll(uint32_t algorithm, const uint8_t *challenge, size_t challenge_size,
              const char *application, uint8_t flags, const char *pin, void **options,
              struct enrolled **answer) {
  (void)challenge, (void)challenge_size, (void)application, (void)pin, (void)options;
  uint8_t public_key[point_size], private_key[512], *end = private_key;
  size_t public_size = sizeof public_key, private_size = sizeof private_key;
  EVP_PKEY *key = algorithm == algorithm_ed25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                                 : EVP_EC_gen("P-256");
  if (!key) return failed;
  if (algorithm == algorithm_ed25519) {
    EVP_PKEY_get_raw_public_key(key, public_key, &public_size);
    EVP_PKEY_get_raw_private_key(key, private_key, &private_size);
  } else {
    EVP_PKEY_get_octet_string_param(key, "pub", public_key, sizeof public_key, &public_size);
    private_size = (size_t)i2d_PrivateKey(key, &end);
  }
  EVP_PKEY_free(key);
  struct enrolled *made = calloc(1, sizeof *made);
  made->flags = flags;
  made->public_key = copy_of(public_key, public_size);
  made->public_key_size = public_size;
  made->key_handle = copy_of(private_key, private_size);
  made->key_handle_size = private_size;
  *answer = made;
  return 0;
}

static EVP_PKEY *key_of(uint32_t algorithm, const uint8_t *handle, size_t size) {
  if (algorithm == algorithm_ed25519) {
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, handle, size);
  }
  return d2i_AutoPrivateKey(NULL, &handle, (long)size);
}

/* What is signed: hash of the application, flags, counter, hash of the message. */
int sk_sign(uint32_t algorithm, const uint8_t *message, size_t message_size,
            const char *application, const uint8_t *key_handle, size_t key_handle_size,
            uint8_t flags, const char *pin, void **options, struct signature **answer) {
  (void)flags, (void)pin, (void)options;
  static const uint8_t counter[4] = {0, 0, 0, 7};
  uint8_t text[SHA256_DIGEST_LENGTH * 2 + 5], raw[256];
  size_t raw_size = sizeof raw;
  SHA256((const uint8_t *)application, strlen(application), text);
  text[SHA256_DIGEST_LENGTH] = flag_user_present;
  memcpy(text + SHA256_DIGEST_LENGTH + 1, counter, sizeof counter);
  SHA256(message, message_size, text + SHA256_DIGEST_LENGTH + 1 + sizeof counter);

  EVP_PKEY *key = key_of(algorithm, key_handle, key_handle_size);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  const EVP_MD *hash = algorithm == algorithm_ed25519 ? NULL : EVP_sha256();
  const int good = key && context && EVP_DigestSignInit(context, NULL, hash, NULL, key) == 1 &&
                   EVP_DigestSign(context, raw, &raw_size, text, sizeof text) == 1;
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  struct signature *made = good ? calloc(1, sizeof *made) : NULL;
  if (!made) return failed;
  made->flags = flag_user_present;
  made->counter = counter[3];
  if (algorithm == algorithm_ed25519) {
    made->r = copy_of(raw, raw_size);
    made->r_size = raw_size;
  } else {
    const uint8_t *at = raw;
    uint8_t number[scalar_size];
    ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &at, (long)raw_size);
    BN_bn2binpad(ECDSA_SIG_get0_r(parts), number, scalar_size);
    made->r = copy_of(number, made->r_size = scalar_size);
    BN_bn2binpad(ECDSA_SIG_get0_s(parts), number, scalar_size);
    made->s = copy_of(number, made->s_size = scalar_size);
    ECDSA_SIG_free(parts);
  }
  *answer = made;
  return 0;
}

int sk_load_resident_keys(const char *pin, void **options, void ***keys, size_t *count) {
  (void)pin, (void)options, (void)keys, (void)count;
  return failed;
}
