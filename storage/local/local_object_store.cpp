#include "storage/local/local_object_store.h"

#include <sys/statvfs.h>

#include "storage/local/upload_directory.h"
#include "storage/local/work_queue.h"
#include "storage/request_checks.h"
#include "storage/settle.h"

namespace storage::local {
namespace {

using Clock = std::chrono::steady_clock;

std::uint64_t bytes_in(const Payload& payload) { return payload.size(); }
template <class T>
std::uint64_t bytes_in(const T&) {
  return 0;
}

}  // namespace

struct LocalObjectStore::Directory {
  explicit Directory(const Options& options)
      : objects(options.directory, options.user_attributes), uploads(options.directory, objects) {}
  ObjectDirectory objects;
  UploadDirectory uploads;
};

LocalObjectStore::LocalObjectStore(Options options)
    : options_(std::move(options)),
      directory_(std::make_unique<Directory>(options_)),
      queue_(std::make_unique<WorkQueue>(options_.threads, options_.queue_max)) {}

LocalObjectStore::~LocalObjectStore() = default;

const Limits& LocalObjectStore::limits() const { return options_.limits; }

/// Tells the observer how a call went, around the work itself.
template <class T, class Work>
T LocalObjectStore::observed(const Call& call, Work& work) {
  FinishedCall finished{.operation = call.operation, .key = call.key.text};
  finished.bytes_sent = call.bytes_sent;
  const auto tell = [&](bool ok, std::string_view failure) {
    if (options_.observer == nullptr) return;
    finished.ok = ok;
    finished.failure = failure;
    finished.duration =
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - call.started);
    options_.observer->call_finished(finished);
  };
  try {
    if constexpr (std::is_void_v<T>) {
      work();
      tell(true, "");
    } else {
      T answer = work();
      finished.bytes_received = bytes_in(answer);
      tell(true, "");
      return answer;
    }
  } catch (const std::exception& error) {
    tell(false, error.what());
    throw;
  }
}

template <class T, class Work>
Future<T> LocalObjectStore::run(const char* operation, const ObjectKey& key,
                                std::uint64_t bytes_sent, Work work) {
  auto promise = std::make_shared<Promise<T>>();
  Future<T> future = promise->future();
  Call call{.operation = operation, .key = key, .bytes_sent = bytes_sent, .started = Clock::now()};
  const bool accepted =
      queue_->submit([this, promise, call = std::move(call), work = std::move(work)]() mutable {
        settle(*promise, [&] { return observed<T>(call, work); });
      });
  if (!accepted) {
    return failed_future<T>(std::make_exception_ptr(
        Error(ErrorCode::unavailable, "too many requests are waiting already")));
  }
  return future;
}

Future<ObjectInfo> LocalObjectStore::put(const ObjectKey& key, Payload body, PutOptions options) {
  const std::uint64_t size = body.size();
  return run<ObjectInfo>("PutObject", key, size,
                         [this, key, body = std::move(body), options = std::move(options)] {
                           check_key(key);
                           check_put_size(options_.limits, body.size());
                           check_put_options(options);
                           return directory_->objects.put(key, body, options);
                         });
}

std::optional<StoreSpace> LocalObjectStore::space() const {
  struct statvfs found {};
  if (::statvfs(options_.directory.c_str(), &found) != 0) return std::nullopt;
  return StoreSpace{.total_bytes = std::uint64_t{found.f_blocks} * found.f_frsize,
                    .free_bytes = std::uint64_t{found.f_bavail} * found.f_frsize};
}

Future<Payload> LocalObjectStore::get(const ObjectKey& key, ByteRange range) {
  return run<Payload>("GetObject", key, 0, [this, key, range] {
    check_key(key);
    return directory_->objects.get(key, range, options_.get_size_max);
  });
}

Future<std::optional<ObjectInfo>> LocalObjectStore::head(const ObjectKey& key) {
  return run<std::optional<ObjectInfo>>("HeadObject", key, 0, [this, key] {
    check_key(key);
    return directory_->objects.head(key);
  });
}

Future<void> LocalObjectStore::remove(const ObjectKey& key) {
  return run<void>("DeleteObject", key, 0, [this, key] {
    check_key(key);
    directory_->objects.remove(key);
  });
}

Future<UploadId> LocalObjectStore::create_upload(const ObjectKey& key, PutOptions options) {
  return run<UploadId>("CreateMultipartUpload", key, 0, [this, key, options = std::move(options)] {
    check_key(key);
    check_put_options(options);
    return directory_->uploads.create(key, options);
  });
}

Future<ETag> LocalObjectStore::upload_part(const ObjectKey& key, const UploadId& upload,
                                           PartPosition position, Payload body) {
  const std::uint64_t size = body.size();
  return run<ETag>("UploadPart", key, size, [this, key, upload, position, body = std::move(body)] {
    check_upload(key, upload);
    check_part(options_.limits, position, body.size());
    return directory_->uploads.write_part(key, upload, position, body);
  });
}

Future<ETag> LocalObjectStore::copy_part(const ObjectKey& key, const UploadId& upload,
                                         PartPosition position, const ObjectKey& source,
                                         ByteRange source_range) {
  return run<ETag>("UploadPartCopy", key, 0, [this, key, upload, position, source, source_range] {
    check_upload(key, upload);
    check_key(source);
    check_part(options_.limits, position, source_range.length);
    check_copy(options_.limits, source_range);
    return directory_->uploads.copy_part(key, upload, position, source, source_range);
  });
}

Future<ObjectInfo> LocalObjectStore::complete_upload(const ObjectKey& key, const UploadId& upload,
                                                     std::vector<CompletedPart> parts,
                                                     const std::string& oid) {
  return run<ObjectInfo>(
      "CompleteMultipartUpload", key, 0, [this, key, upload, parts = std::move(parts), oid] {
        check_upload(key, upload);
        check_parts(parts);
        return directory_->uploads.complete(key, upload, options_.limits, parts, oid);
      });
}

Future<void> LocalObjectStore::abort_upload(const ObjectKey& key, const UploadId& upload) {
  return run<void>("AbortMultipartUpload", key, 0, [this, key, upload] {
    check_upload(key, upload);
    directory_->uploads.abort(key, upload);
  });
}

Future<std::vector<UploadId>> LocalObjectStore::list_uploads(const ObjectKey& key) {
  return run<std::vector<UploadId>>("ListMultipartUploads", key, 0, [this, key] {
    check_key(key);
    return directory_->uploads.list(key);
  });
}

Future<std::vector<CompletedPart>> LocalObjectStore::list_parts(const ObjectKey& key,
                                                                const UploadId& upload) {
  return run<std::vector<CompletedPart>>("ListParts", key, 0, [this, key, upload] {
    check_upload(key, upload);
    return directory_->uploads.list_parts(key, upload);
  });
}

Future<ListPage> LocalObjectStore::list(const std::string& prefix, const std::string& next) {
  return run<ListPage>("ListObjectsV2", {}, 0,
                       [this, prefix, next] { return directory_->objects.list(prefix, next); });
}

}  // namespace storage::local
