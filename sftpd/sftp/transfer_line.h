#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sftpd/sftp/session.h"
#include "sftpd/vfs/open_file/file_handle.h"
#include "storage/future.h"

namespace sftpd::sftp {

/// What the log will say about a file that its client has finished with, or lost. It holds its own
/// copy of all of it: a commit may end after the session has, on another thread.
class TransferLine {
 public:
  /// `close` is the request that ended it, if one did.
  TransferLine(const Session& session, const OpenedFile& opened,
               std::optional<std::uint32_t> close = {});

  /// `failure` is empty if all went well. Safe from any thread. A file that was only looked at has
  /// no line.
  void write(std::string_view failure) const;

 private:
  ChannelId channel_;
  std::optional<std::uint32_t> close_;
  std::string user_;
  std::string path_;
  vfs::TransferTotals totals_;
  bool for_writing_;
  std::chrono::steady_clock::time_point opened_at_;
};

/// `closing` as it was given, except that the line is written with its outcome, whether or not
/// somebody still waits for it.
storage::Future<void> logged(storage::Future<void> closing, TransferLine line);

}  // namespace sftpd::sftp
