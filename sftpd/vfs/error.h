#pragma once

#include <exception>
#include <stdexcept>
#include <string>

namespace sftpd::vfs {

/// What went wrong with a path or an open file, in POSIX's terms as far as it has one.
enum class ErrorCode {
  not_found,          ///< ENOENT, also of a directory on the way
  already_exists,     ///< EEXIST
  not_empty,          ///< ENOTEMPTY
  not_a_directory,    ///< ENOTDIR
  is_a_directory,     ///< EISDIR
  not_a_link,         ///< EINVAL of readlink
  too_many_links,     ///< ELOOP
  would_loop,         ///< EINVAL: a directory moved below itself
  permission_denied,  ///< EACCES, EPERM
  bad_name,           ///< not UTF-8, NUL, empty, too long
  bad_argument,       ///< EINVAL
  file_too_large,     ///< EFBIG: an offset or size beyond file_size_max
  too_scattered,      ///< EFBIG: more pieces than a file may have
  bad_handle,         ///< the handle was not opened for this
  quota_exceeded,     ///< EDQUOT
  no_space,           ///< ENOSPC
  store_unavailable,  ///< the object store does not answer: may pass
  database_unavailable,
  content_damaged,  ///< stored bytes are missing or not what was stored
  being_written,    ///< EBUSY
  lost,             ///< EIO: the database crashed and does not know the file any more
  unsupported,
  internal,  ///< our bug
};

/// Every failure of vfs/, with a message for the log.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// Any exception of storage/ or metadata/ as a vfs::Error; a vfs::Error stays itself.
Error as_vfs_error(std::exception_ptr failure);

}  // namespace sftpd::vfs
