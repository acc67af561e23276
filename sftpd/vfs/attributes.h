#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "metadata/repositories/nodes.h"

namespace sftpd::vfs {

using metadata::NodeKind;

/// No file is made larger. 1 PiB: more than anybody stores, and thousands of such holes, which cost
/// their maker nothing, can be added up.
inline constexpr std::uint64_t file_size_max = std::uint64_t{1} << 50;

/// Throws file_too_large where no file can have these bytes.
void expect_possible(std::uint64_t offset, std::uint64_t length);

/// What stat says of a file, a directory or a link.
struct Attributes {
  NodeKind kind = NodeKind::file;
  std::uint64_t size = 0;  ///< bytes, live while the file is being written
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t permissions = 0;  ///< 07777 bits, without the type
  std::int64_t atime = 0;         ///< seconds since 1970
  std::int64_t mtime = 0;

  /// st_mode as POSIX writes it, with S_IFREG, S_IFDIR or S_IFLNK.
  std::uint32_t posix_mode() const;
};

/// What setstat changes: only what is set.
struct AttributeChanges {
  std::optional<std::uint64_t> size = {};
  std::optional<std::uint32_t> uid = {};  ///< 0xFFFFFFFF means: leave it
  std::optional<std::uint32_t> gid = {};
  std::optional<std::uint32_t> permissions = {};  ///< type bits are ignored
  std::optional<std::int64_t> atime = {};
  std::optional<std::int64_t> mtime = {};
};

struct DirectoryEntry {
  std::string name;
  Attributes attributes;
};

/// For statvfs: bytes and entries, of the account's quota or else of the store.
struct Space {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t total_files = 0;
  std::uint64_t free_files = 0;
};

}  // namespace sftpd::vfs
