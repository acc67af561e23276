#include "sftpd/vfs/attributes.h"

#include <sys/stat.h>

namespace sftpd::vfs {

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
