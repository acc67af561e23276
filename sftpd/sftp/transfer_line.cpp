#include "sftpd/sftp/transfer_line.h"

#include <exception>
#include <memory>
#include <utility>

#include "sftpd/log/log.h"
#include "sftpd/sftp/status.h"

namespace sftpd::sftp {

TransferLine::TransferLine(const Session& session, const OpenedFile& opened,
                           std::optional<std::uint32_t> close)
    : channel_(session.channel),
      close_(close),
      user_(session.account.name),
      path_(opened.file->path()),
      totals_(opened.file->totals()),
      for_writing_(opened.file->flags().write),
      opened_at_(opened.opened_at) {}

void TransferLine::write(std::string_view failure) const {
  const bool idle = totals_.bytes_read == 0 && !for_writing_;
  if (idle && failure.empty()) return;
  const std::chrono::duration<double> open_for = std::chrono::steady_clock::now() - opened_at_;
  log::transfer({.connection = channel_.connection,
                 .channel = channel_.number,
                 .request = close_,
                 .user = user_,
                 .path = path_,
                 .bytes_read = totals_.bytes_read,
                 .bytes_written = totals_.bytes_written,
                 .seconds = open_for.count(),
                 .failure = failure});
}

storage::Future<void> logged(storage::Future<void> closing, TransferLine line) {
  const auto done = std::make_shared<storage::Promise<void>>();
  storage::Future<void> future = done->future();
  closing.on_ready([closing, done, line = std::move(line)]() mutable {
    std::exception_ptr failure;
    try {
      closing.get();
    } catch (...) {
      failure = std::current_exception();
    }
    line.write(failure ? failure_of(failure).log_text : "");
    if (failure) return done->set_exception(failure);
    done->set_value();
  });
  return future;
}

}  // namespace sftpd::sftp
