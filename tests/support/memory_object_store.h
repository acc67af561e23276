#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage/object_store.h"

namespace test_support {

/// A whole ObjectStore in memory that is as strict as S3: part sizes, part order, entity tags,
/// metadata. Answers are ready when a call returns. Safe to call from any thread.
class MemoryObjectStore final : public storage::ObjectStore {
 public:
  explicit MemoryObjectStore(storage::Limits limits = {});

  const storage::Limits& limits() const override { return limits_; }
  storage::Future<storage::ObjectInfo> put(const storage::ObjectKey& key, storage::Payload body,
                                           storage::PutOptions options) override;
  storage::Future<storage::Payload> get(const storage::ObjectKey& key,
                                        storage::ByteRange range) override;
  storage::Future<std::optional<storage::ObjectInfo>> head(const storage::ObjectKey& key) override;
  storage::Future<void> remove(const storage::ObjectKey& key) override;
  storage::Future<storage::UploadId> create_upload(const storage::ObjectKey& key,
                                                   storage::PutOptions options) override;
  storage::Future<storage::ETag> upload_part(const storage::ObjectKey& key,
                                             const storage::UploadId& upload,
                                             storage::PartPosition position,
                                             storage::Payload body) override;
  storage::Future<storage::ETag> copy_part(const storage::ObjectKey& key,
                                           const storage::UploadId& upload,
                                           storage::PartPosition position,
                                           const storage::ObjectKey& source,
                                           storage::ByteRange source_range) override;
  storage::Future<storage::ObjectInfo> complete_upload(const storage::ObjectKey& key,
                                                       const storage::UploadId& upload,
                                                       std::vector<storage::CompletedPart> parts,
                                                       const std::string& oid) override;
  storage::Future<void> abort_upload(const storage::ObjectKey& key,
                                     const storage::UploadId& upload) override;
  storage::Future<std::vector<storage::UploadId>> list_uploads(
      const storage::ObjectKey& key) override;
  storage::Future<std::vector<storage::CompletedPart>> list_parts(
      const storage::ObjectKey& key, const storage::UploadId& upload) override;
  storage::Future<storage::ListPage> list(const std::string& prefix,
                                          const std::string& next) override;

  /// For tests: what is there now.
  std::size_t object_count() const;
  std::size_t upload_count() const;
  std::vector<storage::ObjectKey> keys() const;
  std::string content_type(const storage::ObjectKey& key) const;

 private:
  struct Object {
    storage::Payload body;
    storage::ObjectInfo info;
    std::string content_type;
    std::chrono::system_clock::time_point modified;
  };
  struct Part {
    storage::Payload body;
    storage::ETag etag;
    std::uint64_t offset = 0;
  };
  struct Upload {
    storage::ObjectKey key;
    storage::PutOptions options;
    std::map<int, Part> parts;
  };

  storage::ETag next_etag();
  Upload& find_upload(const storage::ObjectKey& key, const storage::UploadId& upload);
  const Object& find_object(const storage::ObjectKey& key) const;
  storage::ETag add_part(const storage::ObjectKey& key, const storage::UploadId& upload,
                         storage::PartPosition position, storage::Payload body);
  storage::ObjectInfo store(const storage::ObjectKey& key, storage::Payload body,
                            const storage::PutOptions& options);
  storage::ObjectInfo find_completed(const storage::ObjectKey& key,
                                     const storage::UploadId& upload) const;
  storage::ObjectInfo complete(const storage::ObjectKey& key, const storage::UploadId& upload,
                               const std::vector<storage::CompletedPart>& parts,
                               const std::string& oid);
  storage::Payload joined(const Upload& upload, const std::vector<storage::CompletedPart>& parts);

  const storage::Limits limits_;
  mutable std::mutex mutex_;
  std::map<storage::ObjectKey, Object> objects_;
  std::map<storage::UploadId, Upload> uploads_;
  std::uint64_t counter_ = 0;
};

}  // namespace test_support
