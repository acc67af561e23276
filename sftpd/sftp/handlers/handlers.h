#pragma once

#include "sftpd/sftp/replies.h"
#include "sftpd/sftp/requests.h"
#include "sftpd/sftp/session.h"

// What answers each kind of request; the tables in operations.cpp and extensions.cpp say which. A
// handler throws vfs::Error or Refused for a failure, and returns EOF as a status.

namespace sftpd::sftp {

// files.cpp
Reply handle_open(Session& session, const OpenRequest& request);
Reply handle_close(Session& session, const HandleRequest& request);
Reply handle_read(Session& session, const ReadRequest& request);
Reply handle_write(Session& session, const WriteRequest& request);
Reply handle_remove(Session& session, const PathRequest& request);
Reply handle_rename(Session& session, const RenameRequest& request);
Reply handle_posix_rename(Session& session, const RenameRequest& request);
Reply handle_fsync(Session& session, const HandleRequest& request);
Reply handle_copy_data(Session& session, const CopyRequest& request);

// directories.cpp
Reply handle_opendir(Session& session, const PathRequest& request);
Reply handle_readdir(Session& session, const HandleRequest& request);
Reply handle_mkdir(Session& session, const PathAttrsRequest& request);
Reply handle_rmdir(Session& session, const PathRequest& request);

// attributes.cpp
Reply handle_stat(Session& session, const PathRequest& request);
Reply handle_lstat(Session& session, const PathRequest& request);
Reply handle_fstat(Session& session, const HandleRequest& request);
Reply handle_setstat(Session& session, const PathAttrsRequest& request);
Reply handle_fsetstat(Session& session, const HandleAttrsRequest& request);
Reply handle_lsetstat(Session& session, const PathAttrsRequest& request);
Reply handle_statvfs(Session& session, const PathRequest& request);
Reply handle_fstatvfs(Session& session, const HandleRequest& request);

// paths.cpp
Reply handle_realpath(Session& session, const PathRequest& request);
Reply handle_readlink(Session& session, const PathRequest& request);
Reply handle_symlink(Session& session, const SymlinkRequest& request);
Reply handle_expand_path(Session& session, const PathRequest& request);
Reply handle_home_directory(Session& session, const UserRequest& request);

// about_server.cpp
Reply handle_limits(Session& session, const EmptyRequest& request);
Reply handle_users_groups_by_id(Session& session, const NamesByIdRequest& request);

}  // namespace sftpd::sftp
