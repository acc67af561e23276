#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "metadata/ids.h"
#include "metadata/repositories/versions.h"
#include "sftpd/vfs/content/hash.h"
#include "sftpd/vfs/writing/object_writer.h"

namespace sftpd::vfs {

/// The hash of a file that streams into several objects, one behind the other: where memory is
/// short, an object ends early, and the next one goes on. Not thread-safe.
class HashedPrefix {
 public:
  /// What has hashed exactly the file's first `offset` bytes; nothing if they are not known.
  std::optional<Sha256Hasher> up_to(std::uint64_t offset) const;

  /// An object was stored for the bytes from `offset` on. If it began with `up_to(offset)`, or at
  /// the file's beginning, the prefix reaches to its end now.
  void add(std::uint64_t offset, const WrittenObject& written);

  /// Of content that consists of the prefix's objects, whole and in order, and inline bytes behind
  /// them, or of inline bytes alone; otherwise nothing.
  std::optional<metadata::Sha256> hash_of(const std::vector<metadata::Extent>& extents,
                                          std::uint64_t size) const;

 private:
  std::vector<metadata::ObjectId> objects_;
  std::uint64_t end_ = 0;
  std::optional<Sha256Hasher> hash_;  ///< of the file's first end_ bytes
};

}  // namespace sftpd::vfs
