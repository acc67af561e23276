#pragma once

#include <memory>
#include <string>
#include <utility>

#include "storage/s3/request_runner.h"
#include "storage/s3/s3_object_store.h"
#include "storage/settle.h"

namespace storage::s3 {

/// The store's requests and what is read from their answers: behind S3ObjectStore, which checks
/// what it is given. Threads as there.
class S3ObjectStore::Calls {
 public:
  explicit Calls(Options options);

  const Options& options() const { return options_; }
  const RequestRunner& runner() const { return runner_; }
  const Endpoint& public_endpoint() const { return public_endpoint_; }
  void stop(std::chrono::milliseconds grace) { runner_.stop(grace); }

  Future<ObjectInfo> put(const ObjectKey& key, Payload body, PutOptions put);
  Future<Payload> get(const ObjectKey& key, ByteRange range);
  Future<std::optional<ObjectInfo>> head(const ObjectKey& key);
  Future<void> remove(const ObjectKey& key);
  Future<ListPage> list(const std::string& prefix, const std::string& next);

  Future<UploadId> create_upload(const ObjectKey& key, PutOptions put);
  Future<ETag> upload_part(const ObjectKey& key, const UploadId& upload, int number, Payload body);
  Future<ETag> copy_part(const ObjectKey& key, const UploadId& upload, int number,
                         const ObjectKey& source, ByteRange range);
  Future<ObjectInfo> complete_upload(const ObjectKey& key, const UploadId& upload,
                                     std::vector<CompletedPart> parts, const std::string& oid);
  Future<void> abort_upload(const ObjectKey& key, const UploadId& upload);
  Future<std::vector<UploadId>> list_uploads(const ObjectKey& key);
  Future<std::vector<CompletedPart>> list_parts(const ObjectKey& key, const UploadId& upload);

 private:
  struct Completion;
  struct UploadListing;
  struct PartListing;

  template <class T, class Read>
  Future<T> call(Request request, Read read) {
    auto promise = std::make_shared<Promise<T>>();
    Future<T> future = promise->future();
    runner_.send(std::move(request), [promise, read = std::move(read)](Answer answer) mutable {
      settle(*promise, [&] { return read(std::move(answer)); });
    });
    return future;
  }

  std::string payload_hash(const Payload& body, const std::optional<std::string>& known) const;
  static Request head_request(const ObjectKey& key);
  static std::optional<ObjectInfo> read_head(const Answer& answer);
  void look_for_completed(const std::shared_ptr<Completion>& completion, Answer answer);
  void list_more_uploads(const std::shared_ptr<UploadListing>& listing);
  void list_more_parts(const std::shared_ptr<PartListing>& listing);

  const Options options_;
  const Endpoint endpoint_;
  const Endpoint public_endpoint_;
  const bool hash_bodies_;
  RequestRunner runner_;  // last: its end waits for callbacks that use the rest
};

/// The headers of PutOptions, which are checked already.
http::Headers headers_of(const PutOptions& options);

}  // namespace storage::s3
