#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

#include "sftpd/log/log.h"
#include "sftpd/sftp/replies.h"
#include "sftpd/vfs/error.h"

namespace sftpd::sftp {

/// A request that the session itself refuses, with what the client is told.
class Refused : public std::runtime_error {
 public:
  Refused(StatusCode code, const std::string& message)
      : std::runtime_error(message), status_{code, message} {}
  const Status& status() const { return status_; }

 private:
  Status status_;
};

/// What clients see of a failure: never internal text.
Status status_for(vfs::ErrorCode code);

/// A caught exception as the status to send and the text to log.
struct Failure {
  Status status;
  std::string log_text;
  log::Level level;  ///< what clients look for and miss is not worth a line; our own trouble is
};
Failure failure_of(std::exception_ptr exception);

/// "No such file" for SSH_FX_NO_SUCH_FILE, and so on.
std::string_view words_for(StatusCode code);

}  // namespace sftpd::sftp
