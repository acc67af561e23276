#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "storage/object_store.h"
#include "storage/observer.h"
#include "storage/s3/credentials.h"
#include "storage/s3/retry_policy.h"

namespace storage::s3 {

/// Whether bodies are covered by the signature (SHA-256, about 0.7 s of CPU per GiB, spent on the
/// caller's thread; nothing where the caller knows the hash).
enum class PayloadSigning {
  automatic,  ///< not over https and to this machine; over any other http
  always,
  never,
};

/// An ObjectStore on one bucket of any S3-compatible service.
///
/// Callbacks of its futures run on one thread that does all transfers: see Future::on_ready.
/// complete_upload() always looks at the object it made (one HEAD), and needs its `oid`. A get()
/// that would answer more than get_size_max bytes throws rejected.
/// Buckets should not be versioned: there remove() only hides an object.
class S3ObjectStore final : public ObjectStore {
 public:
  struct Options {
    std::string endpoint{};  ///< scheme://host[:port]
    /// Where browsers reach the store, for presigned URLs. Empty: the same endpoint.
    std::string public_endpoint{};
    std::string region = "us-east-1";
    std::string bucket{};
    bool path_style = true;
    Credentials credentials{};
    PayloadSigning payload_signing = PayloadSigning::automatic;
    std::string ca_file{};  ///< PEM; empty: the system's certificates
    std::size_t connections_max = 32;
    std::size_t queue_max = 8192;
    std::chrono::milliseconds connect_timeout{5000};
    std::chrono::seconds stall_time{20};
    RetryPolicy::Options retry{};
    Limits limits{};
    std::uint64_t get_size_max = 1ULL << 30;
    Observer* observer = nullptr;  ///< may be null; outlives the store
  };

  /// What a presigned answer's headers say; empty: as stored.
  struct ResponseHeaders {
    std::string content_disposition{};  ///< attachment; filename="..."; filename*=UTF-8''...
    std::string content_type{};
  };

  /// Connects to nothing yet. Throws Error(rejected) for options that cannot work.
  explicit S3ObjectStore(Options options);
  ~S3ObjectStore() override;

  /// A URL that gives `key` to whoever holds it for `lifetime` (1 s to 7 days; with temporary
  /// credentials at most their own). Asks nobody. Throws Error(rejected).
  std::string presign_get(const ObjectKey& key, std::chrono::seconds lifetime,
                          const ResponseHeaders& headers) const;

  /// Requests that wait for a connection, and those that have one.
  struct Load {
    std::size_t waiting = 0;
    std::size_t active = 0;
  };
  Load load() const;

  void stop(std::chrono::milliseconds grace) override;
  const Limits& limits() const override;
  Future<ObjectInfo> put(const ObjectKey& key, Payload body, PutOptions options) override;
  Future<Payload> get(const ObjectKey& key, ByteRange range) override;
  Future<std::optional<ObjectInfo>> head(const ObjectKey& key) override;
  Future<void> remove(const ObjectKey& key) override;
  Future<UploadId> create_upload(const ObjectKey& key, PutOptions options) override;
  Future<ETag> upload_part(const ObjectKey& key, const UploadId& upload, PartPosition position,
                           Payload body) override;
  Future<ETag> copy_part(const ObjectKey& key, const UploadId& upload, PartPosition position,
                         const ObjectKey& source, ByteRange source_range) override;
  Future<ObjectInfo> complete_upload(const ObjectKey& key, const UploadId& upload,
                                     std::vector<CompletedPart> parts,
                                     const std::string& oid) override;
  Future<void> abort_upload(const ObjectKey& key, const UploadId& upload) override;
  Future<std::vector<UploadId>> list_uploads(const ObjectKey& key) override;
  Future<std::vector<CompletedPart>> list_parts(const ObjectKey& key,
                                                const UploadId& upload) override;
  Future<ListPage> list(const std::string& prefix, const std::string& next) override;

 private:
  class Calls;
  std::unique_ptr<Calls> calls_;
};

}  // namespace storage::s3
