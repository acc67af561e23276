#pragma once

#include <filesystem>
#include <mutex>
#include <set>
#include <string>

#include "storage/local/file.h"
#include "storage/local/object_metadata.h"
#include "storage/object_store.h"

namespace storage::local {

/// The finished objects of a local store: blocking calls, safe from any thread. All throw Error.
/// Keys are valid already.
class ObjectDirectory {
 public:
  /// Makes what is missing below `root` and removes what crashes left long ago.
  ObjectDirectory(std::filesystem::path root, bool user_attributes);

  ObjectInfo put(const ObjectKey& key, const Payload& body, const PutOptions& options);
  /// Throws rejected for an answer above `size_max`.
  Payload get(const ObjectKey& key, ByteRange range, std::uint64_t size_max) const;
  std::optional<ObjectInfo> head(const ObjectKey& key) const;
  void remove(const ObjectKey& key);
  ListPage list(const std::string& prefix, const std::string& next) const;

  /// Makes the file at `path` the object, durably.
  ObjectInfo adopt(File& file, const std::filesystem::path& path, ObjectMetadata metadata);
  /// Throws no_such_key.
  File open(const ObjectKey& key) const;

 private:
  struct Listing;

  std::filesystem::path object_path(const ObjectKey& key) const {
    return root_ / "objects" / key.text;
  }
  std::filesystem::path metadata_path(const ObjectKey& key) const {
    return root_ / "metadata" / key.text;
  }
  std::filesystem::path temporary_path() const;
  void make_parent(const std::filesystem::path& path);
  void write_metadata_file(const ObjectMetadata& metadata);
  ObjectMetadata metadata_of(const ObjectKey& key, const File& file) const;
  void walk(const std::filesystem::path& directory, const std::string& key_start,
            Listing& listing) const;
  void remove_old_leftovers() const;

  const std::filesystem::path root_;
  const bool user_attributes_;
  std::mutex mutex_;
  std::set<std::filesystem::path> durable_directories_;  // made and synced by this process
};

}  // namespace storage::local
