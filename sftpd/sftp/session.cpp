#include "sftpd/sftp/session.h"

#include <ctime>

#include "sftpd/log/log.h"
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

void log_transfer(const Session& session, const OpenedFile& opened, std::string_view failure,
                  std::optional<std::uint32_t> request) {
  const vfs::TransferTotals totals = opened.file->totals();
  const bool idle = totals.bytes_read == 0 && !opened.file->flags().write;
  if (idle && failure.empty()) return;  // Opened to look, and looked at: nothing was transferred.
  const std::chrono::duration<double> open_for =
      std::chrono::steady_clock::now() - opened.opened_at;
  log::transfer({.connection = session.channel.connection,
                 .channel = session.channel.number,
                 .request = request,
                 .user = session.account.name,
                 .path = opened.file->path(),
                 .bytes_read = totals.bytes_read,
                 .bytes_written = totals.bytes_written,
                 .seconds = open_for.count(),
                 .failure = failure});
}

}  // namespace sftpd::sftp
