#include "sftpd/sftp/session.h"

#include <ctime>

#include "sftpd/sftp/status.h"

namespace sftpd::sftp {

void Session::expect_allowed(Access access) const {
  if (access == Access::writes && options.read_only) {
    throw Refused(SSH_FX_PERMISSION_DENIED, "Permission denied: read-only");
  }
}

std::int64_t Session::now() const {
  return options.now ? options.now() : static_cast<std::int64_t>(std::time(nullptr));
}

}  // namespace sftpd::sftp
