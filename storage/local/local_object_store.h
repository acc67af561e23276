#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "storage/object_store.h"
#include "storage/observer.h"

namespace storage::local {

class WorkQueue;

/// An ObjectStore in a directory of one machine; several processes may use it at once:
///
///     objects/<key>             an object, readable without us
///     metadata/<key>            its metadata, where the file system has no user attributes
///     uploads/<id>/data,parts   a multipart upload: its bytes in place, and a list of its parts
///     temporary/                puts under way; what is a day old is removed at start
///
/// What a ready future says is on the disk: files and directories are synced. A few threads do the
/// work; callbacks of futures run on them (see Future::on_ready). A key that is a directory of
/// other keys (`a` beside `a/b`) is rejected. PartPosition.offset must be where the part ends up.
class LocalObjectStore final : public ObjectStore {
 public:
  struct Options {
    std::filesystem::path directory{};  ///< made, 0700, where missing
    std::size_t threads = 4;
    std::size_t queue_max = 8192;  ///< past it calls fail (unavailable)
    bool user_attributes = true;   ///< false: metadata always in files of their own
    /// Parts of any size; copies inside a file system are fast or even free.
    Limits limits = {.part_size_min = 1, .copy_part_max = 1ULL << 30};
    std::uint64_t get_size_max = 1ULL << 30;
    Observer* observer = nullptr;  ///< may be null; outlives the store
  };

  /// Throws Error where the directory cannot be used.
  explicit LocalObjectStore(Options options);
  ~LocalObjectStore() override;

  const Limits& limits() const override;
  std::optional<StoreSpace> space() const override;
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
  struct Directory;
  struct Call {
    const char* operation;
    ObjectKey key;
    std::uint64_t bytes_sent;
    std::chrono::steady_clock::time_point started;
  };
  template <class T, class Work>
  Future<T> run(const char* operation, const ObjectKey& key, std::uint64_t bytes_sent, Work work);
  template <class T, class Work>
  T observed(const Call& call, Work& work);

  const Options options_;
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<WorkQueue> queue_;  // last: its end waits for work that uses the rest
};

}  // namespace storage::local
