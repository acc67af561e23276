#include "sftpd/sftp/status.h"

#include "sftpd/sftp/packet_reader.h"

namespace sftpd::sftp {

// The codes follow OpenSSH's errno_to_portable(), but for errors that concern an argument and not
// the packet: those are FAILURE, because clients take BAD_MESSAGE for a broken connection.
Status status_for(vfs::ErrorCode code) {
  using enum vfs::ErrorCode;
  switch (code) {
    case not_found:
      return {SSH_FX_NO_SUCH_FILE, "No such file or directory"};
    case already_exists:
      return {SSH_FX_FAILURE, "File exists"};
    case not_empty:
      return {SSH_FX_FAILURE, "Directory not empty"};
    case not_a_directory:
      return {SSH_FX_NO_SUCH_FILE, "Not a directory"};
    case is_a_directory:
      return {SSH_FX_FAILURE, "Is a directory"};
    case not_a_link:
      return {SSH_FX_FAILURE, "Not a symbolic link"};
    case too_many_links:
      return {SSH_FX_NO_SUCH_FILE, "Too many levels of symbolic links"};
    case would_loop:
      return {SSH_FX_FAILURE, "A directory cannot be moved into itself"};
    case permission_denied:
      return {SSH_FX_PERMISSION_DENIED, "Permission denied"};
    case bad_name:
      return {SSH_FX_FAILURE, "Invalid name: empty, too long or not UTF-8"};
    case bad_argument:
      return {SSH_FX_FAILURE, "Invalid argument"};
    case file_too_large:
      return {SSH_FX_FAILURE, "File too large"};
    case too_scattered:
      return {SSH_FX_FAILURE, "Too many separate pieces in one file"};
    case bad_handle:
      return {SSH_FX_FAILURE, "The handle was not opened for this"};
    case quota_exceeded:
      return {SSH_FX_FAILURE, "Quota exceeded"};
    case no_space:
      return {SSH_FX_FAILURE, "No space left"};
    case store_unavailable:
      return {SSH_FX_FAILURE, "The storage does not answer; try again later"};
    case database_unavailable:
      return {SSH_FX_FAILURE, "The database does not answer; try again later"};
    case content_damaged:
      return {SSH_FX_FAILURE, "The stored content is damaged"};
    case being_written:
      return {SSH_FX_FAILURE, "The file is being written"};
    case lost:
      return {SSH_FX_FAILURE, "The file was lost when the database crashed; upload it again"};
    case unsupported:
      return {SSH_FX_OP_UNSUPPORTED, "Operation unsupported"};
    case internal:
      return {SSH_FX_FAILURE, "Internal error"};
  }
  return {SSH_FX_FAILURE, "Internal error"};
}

namespace {

log::Level level_for(vfs::ErrorCode code) {
  using enum vfs::ErrorCode;
  switch (code) {
    case not_found:
      return log::Level::debug;
    case content_damaged:
      return log::Level::error;
    case lost:
    case store_unavailable:
    case database_unavailable:
    case internal:
      return log::Level::warning;
    default:
      return log::Level::info;
  }
}

}  // namespace

Failure failure_of(std::exception_ptr exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Refused& refused) {
    return {refused.status(), refused.what(), log::Level::info};
  } catch (const MalformedPacket& malformed) {
    return {{SSH_FX_BAD_MESSAGE, "Bad message"}, malformed.what(), log::Level::info};
  } catch (...) {
    const vfs::Error error = vfs::as_vfs_error(exception);
    return {status_for(error.code()), error.what(), level_for(error.code())};
  }
}

std::string_view words_for(StatusCode code) {
  switch (code) {
    case SSH_FX_OK:
      return "Success";
    case SSH_FX_EOF:
      return "End of file";
    case SSH_FX_NO_SUCH_FILE:
      return "No such file";
    case SSH_FX_PERMISSION_DENIED:
      return "Permission denied";
    case SSH_FX_FAILURE:
      return "Failure";
    case SSH_FX_BAD_MESSAGE:
      return "Bad message";
    case SSH_FX_NO_CONNECTION:
      return "No connection";
    case SSH_FX_CONNECTION_LOST:
      return "Connection lost";
    case SSH_FX_OP_UNSUPPORTED:
      return "Operation unsupported";
  }
  return "Unknown error";
}

}  // namespace sftpd::sftp
