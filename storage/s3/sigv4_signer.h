#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

#include "storage/http/transfer.h"
#include "storage/s3/credentials.h"
#include "storage/s3/sha256.h"

namespace storage::s3 {

/// `x-amz-content-sha256` of a body that the signature does not cover.
inline constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";

/// Encodes every byte but A-Za-z0-9-._~ as %XX.
std::string uri_encode(std::string_view text);
/// The same, but slashes stay.
std::string uri_encode_path(std::string_view path);
/// Encoded names and values, sorted as signing wants them: `a=1&b=`.
std::string canonical_query(const http::Headers& query);

/// What Signature Version 4 covers. Names and values are not encoded.
struct Signable {
  std::string method{};
  std::string path = "/";  ///< as stored: not encoded, not normalised
  http::Headers query{};
  http::Headers headers{};  ///< lower-case names; all are signed; `host` must be among them
  std::string payload_hash{};
};

/// AWS Signature Version 4 for S3: paths are encoded once and never normalised.
/// Safe to call from any thread. The time given is the store's: the caller corrects its clock.
class SigV4Signer {
 public:
  using Time = std::chrono::system_clock::time_point;

  explicit SigV4Signer(Credentials credentials, std::string service = "s3");

  /// Adds `x-amz-date`, `x-amz-security-token` (with temporary keys) and `authorization`.
  void sign(Signable& request, Time now, const std::string& region) const;

  /// The query of a URL that `method` may use for `lifetime` (1 s to 7 days) without a header;
  /// only `host` is signed beside the query.
  std::string presign(Signable request, Time now, const std::string& region,
                      std::chrono::seconds lifetime) const;

  /// For tests: the first lines that are hashed and signed.
  static std::string canonical_request(const Signable& request);
  Sha256Digest signing_key(const std::string& day, const std::string& region) const;

 private:
  std::string signature(const Signable& request, const std::string& timestamp,
                        const std::string& region) const;
  std::string scope(const std::string& timestamp, const std::string& region) const;

  const Credentials credentials_;
  const std::string service_;
  mutable std::mutex mutex_;  // of the cached key, good for one day and region
  mutable std::string cached_for_;
  mutable Sha256Digest cached_key_{};
};

}  // namespace storage::s3
