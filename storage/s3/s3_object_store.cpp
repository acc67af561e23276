#include "storage/s3/s3_object_store.h"

#include <algorithm>

#include "storage/request_checks.h"
#include "storage/s3/object_calls.h"

namespace storage::s3 {
namespace {

// Services count offsets in signed numbers; nothing lies beyond.
constexpr std::uint64_t offset_max = 1ULL << 62;

constexpr std::chrono::seconds presign_max = std::chrono::hours(24 * 7);  // SigV4's limit

Error rejected(const std::string& message) { return Error(ErrorCode::rejected, message); }

S3ObjectStore::Options checked(S3ObjectStore::Options options) {
  if (options.bucket.empty()) throw rejected("the store needs a bucket");
  if (options.region.empty()) throw rejected("the store needs a region");
  if (options.credentials.key_id.empty() || options.credentials.secret.empty()) {
    throw rejected("the store needs an access key and its secret");
  }
  if (options.connections_max == 0) throw rejected("the store needs at least one connection");
  return options;
}

// Failures known before anything is sent arrive like the others: in the future.
template <class Call>
auto guarded(Call&& call) -> decltype(call()) {
  decltype(call()) answer;
  try {
    answer = call();
  } catch (...) {
    return [&]<class T>(Future<T>*) { return failed_future<T>(std::current_exception()); }(&answer);
  }
  return answer;
}

}  // namespace

S3ObjectStore::S3ObjectStore(Options options)
    : calls_(std::make_unique<Calls>(checked(std::move(options)))) {}
S3ObjectStore::~S3ObjectStore() = default;

void S3ObjectStore::stop(std::chrono::milliseconds grace) { calls_->stop(grace); }

const Limits& S3ObjectStore::limits() const { return calls_->options().limits; }

S3ObjectStore::Load S3ObjectStore::load() const {
  const auto load = calls_->runner().load();
  return {.waiting = load.waiting, .active = load.active};
}

std::string S3ObjectStore::presign_get(const ObjectKey& key, std::chrono::seconds lifetime,
                                       const ResponseHeaders& headers) const {
  check_key(key);
  if (lifetime < std::chrono::seconds(1) || lifetime > presign_max) {
    throw rejected("a presigned URL lives 1 second to 7 days");
  }
  http::Headers query;
  const auto add = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    // What the browser gets as a header must stay one.
    if (value.find_first_of("\r\n") != std::string::npos)
      throw rejected("a line break in a header");
    query.emplace_back(name, value);
  };
  add("response-content-disposition", headers.content_disposition);
  add("response-content-type", headers.content_type);
  return calls_->runner().presign_get(calls_->public_endpoint(), key.text, lifetime,
                                      std::move(query));
}

Future<ObjectInfo> S3ObjectStore::put(const ObjectKey& key, Payload body, PutOptions options) {
  return guarded([&] {
    check_key(key);
    check_put_size(limits(), body.size());
    check_put_options(options);
    return calls_->put(key, std::move(body), std::move(options));
  });
}

Future<Payload> S3ObjectStore::get(const ObjectKey& key, ByteRange range) {
  return guarded([&] {
    check_key(key);
    if (range.length == 0) return ready_future(Payload());
    if (range.offset >= offset_max) return ready_future(Payload());
    return calls_->get(key, {range.offset, std::min(range.length, offset_max)});
  });
}

Future<std::optional<ObjectInfo>> S3ObjectStore::head(const ObjectKey& key) {
  return guarded([&] {
    check_key(key);
    return calls_->head(key);
  });
}

Future<void> S3ObjectStore::remove(const ObjectKey& key) {
  return guarded([&] {
    check_key(key);
    return calls_->remove(key);
  });
}

Future<UploadId> S3ObjectStore::create_upload(const ObjectKey& key, PutOptions options) {
  return guarded([&] {
    check_key(key);
    check_put_options(options);
    return calls_->create_upload(key, std::move(options));
  });
}

Future<ETag> S3ObjectStore::upload_part(const ObjectKey& key, const UploadId& upload,
                                        PartPosition position, Payload body) {
  return guarded([&] {
    check_upload(key, upload);
    check_part(limits(), position, body.size());
    return calls_->upload_part(key, upload, position.number, std::move(body));
  });
}

Future<ETag> S3ObjectStore::copy_part(const ObjectKey& key, const UploadId& upload,
                                      PartPosition position, const ObjectKey& source,
                                      ByteRange source_range) {
  return guarded([&] {
    check_upload(key, upload);
    check_key(source);
    check_part(limits(), position, source_range.length);
    check_copy(limits(), source_range);
    return calls_->copy_part(key, upload, position.number, source, source_range);
  });
}

Future<ObjectInfo> S3ObjectStore::complete_upload(const ObjectKey& key, const UploadId& upload,
                                                  std::vector<CompletedPart> parts,
                                                  const std::string& oid) {
  return guarded([&] {
    check_upload(key, upload);
    check_parts(parts);
    return calls_->complete_upload(key, upload, std::move(parts), oid);
  });
}

Future<void> S3ObjectStore::abort_upload(const ObjectKey& key, const UploadId& upload) {
  return guarded([&] {
    check_upload(key, upload);
    return calls_->abort_upload(key, upload);
  });
}

Future<std::vector<UploadId>> S3ObjectStore::list_uploads(const ObjectKey& key) {
  return guarded([&] {
    check_key(key);
    return calls_->list_uploads(key);
  });
}

Future<std::vector<CompletedPart>> S3ObjectStore::list_parts(const ObjectKey& key,
                                                             const UploadId& upload) {
  return guarded([&] {
    check_upload(key, upload);
    return calls_->list_parts(key, upload);
  });
}

Future<ListPage> S3ObjectStore::list(const std::string& prefix, const std::string& next) {
  return guarded([&] { return calls_->list(prefix, next); });
}

}  // namespace storage::s3
