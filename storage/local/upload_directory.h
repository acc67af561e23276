#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "storage/local/object_directory.h"
#include "storage/object_store.h"

namespace storage::local {

/// The unfinished multipart uploads of a local store, `uploads/<id>/`: `data` with each part's
/// bytes in their place, `parts` with a line for each part received, `options` with what the
/// object will carry. Blocking calls, safe from any thread and from several processes: whoever
/// writes a part shares the lock of `data`, whoever completes holds it alone. All throw Error.
class UploadDirectory {
 public:
  /// Removes what crashes left long ago. `objects` must outlive this.
  UploadDirectory(const std::filesystem::path& root, ObjectDirectory& objects);

  UploadId create(const ObjectKey& key, const PutOptions& options);
  ETag write_part(const ObjectKey& key, const UploadId& upload, PartPosition position,
                  const Payload& body);
  ETag copy_part(const ObjectKey& key, const UploadId& upload, PartPosition position,
                 const ObjectKey& source, ByteRange range);
  ObjectInfo complete(const ObjectKey& key, const UploadId& upload, const Limits& limits,
                      const std::vector<CompletedPart>& parts, const std::string& oid);
  void abort(const ObjectKey& key, const UploadId& upload);
  std::vector<UploadId> list(const ObjectKey& key) const;
  std::vector<CompletedPart> list_parts(const ObjectKey& key, const UploadId& upload) const;

 private:
  struct Part {
    std::uint64_t offset = 0;
    std::uint64_t size_bytes = 0;
    ETag etag;
  };
  using Parts = std::map<int, Part>;

  /// Throws no_such_upload for an id that create() cannot have given for this key.
  std::filesystem::path path_of(const ObjectKey& key, const UploadId& upload) const;
  /// Opens `data` with its lock. Throws no_such_upload.
  File open_data(const std::filesystem::path& directory, bool alone) const;
  static Parts read_parts(const std::filesystem::path& directory);
  static void add_part(const std::filesystem::path& directory, int number, const Part& part);
  static void check_tiling(const Parts& sent, const Limits& limits,
                           const std::vector<CompletedPart>& parts);

  const std::filesystem::path uploads_;
  ObjectDirectory& objects_;
};

}  // namespace storage::local
