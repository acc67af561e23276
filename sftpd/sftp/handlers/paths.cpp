#include <string_view>

#include "sftpd/sftp/handlers/handlers.h"
#include "sftpd/sftp/status.h"

namespace sftpd::sftp {
namespace {

constexpr const char* home = ".";  // Relative paths begin there.

/// What follows "~" or "~name" in a path, relative to that user's home.
std::string without_tilde(std::string_view path, std::string_view own_name) {
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view user = path.substr(1, end - 1);
  if (!user.empty() && user != own_name) throw Refused(SSH_FX_NO_SUCH_FILE, "No such user");
  return end + 1 < path.size() ? std::string(path.substr(end + 1)) : home;
}

}  // namespace

Reply handle_realpath(Session& session, const PathRequest& request) {
  return one_name(session.files->real_path(request.path.empty() ? home : request.path));
}

Reply handle_readlink(Session& session, const PathRequest& request) {
  return one_name(session.files->read_link(request.path));
}

Reply handle_symlink(Session& session, const SymlinkRequest& request) {
  if (session.options.symlink_link_first) {
    session.files->make_link(request.path, request.target);
  } else {
    session.files->make_link(request.target, request.path);
  }
  return Status{SSH_FX_OK, {}};
}

Reply handle_expand_path(Session& session, const PathRequest& request) {
  if (!request.path.starts_with('~')) return handle_realpath(session, request);
  return one_name(session.files->real_path(without_tilde(request.path, session.account.name)));
}

Reply handle_home_directory(Session& session, const UserRequest& request) {
  if (!request.user.empty() && request.user != session.account.name) {
    throw Refused(SSH_FX_FAILURE, "No such user");
  }
  return one_name(session.files->real_path(home));
}

}  // namespace sftpd::sftp
