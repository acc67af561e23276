#include "sftpd/vfs/attributes.h"

#include <sys/stat.h>

#include "sftpd/vfs/error.h"

namespace sftpd::vfs {

void expect_possible(std::uint64_t offset, std::uint64_t length) {
  if (offset <= file_size_max && length <= file_size_max - offset) return;
  throw Error(ErrorCode::file_too_large, "beyond the largest file");
}

std::uint32_t Attributes::posix_mode() const {
  switch (kind) {
    case NodeKind::file:
      return S_IFREG | permissions;
    case NodeKind::directory:
      return S_IFDIR | permissions;
    case NodeKind::symlink:
      return S_IFLNK | permissions;
  }
  return permissions;
}

}  // namespace sftpd::vfs
