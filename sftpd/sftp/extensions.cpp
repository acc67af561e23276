#include <algorithm>
#include <string>

#include "sftpd/sftp/handlers/handlers.h"
#include "sftpd/sftp/operations.h"
#include "sftpd/sftp/status.h"

namespace sftpd::sftp {
namespace {

/// Every extension we announce and answer: section 4 of OpenSSH's PROTOCOL.
constexpr Extension table[] = {
    {"posix-rename@openssh.com", "1", answer<handle_posix_rename>, Access::writes},
    {"statvfs@openssh.com", "2", answer<handle_statvfs>, Access::reads},
    {"fstatvfs@openssh.com", "2", answer<handle_fstatvfs>, Access::reads},
    {"fsync@openssh.com", "1", answer<handle_fsync>, Access::reads},
    {"lsetstat@openssh.com", "1", answer<handle_lsetstat>, Access::writes},
    {"limits@openssh.com", "1", answer<handle_limits>, Access::reads},
    {"expand-path@openssh.com", "1", answer<handle_expand_path>, Access::reads},
    {"copy-data", "1", answer<handle_copy_data>, Access::writes},
    {"home-directory", "1", answer<handle_home_directory>, Access::reads},
    {"users-groups-by-id@openssh.com", "1", answer<handle_users_groups_by_id>, Access::reads},
};

}  // namespace

std::span<const Extension> extensions() { return table; }

Reply handle_extended(Session& session, PacketReader& reader) {
  const std::string_view name = reader.read_view();
  const auto extension = std::ranges::find(table, name, &Extension::name);
  if (extension == std::end(table)) {
    constexpr std::size_t logged_bytes_max = 64;
    throw Refused(SSH_FX_OP_UNSUPPORTED,
                  "Unknown extension " + std::string(name.substr(0, logged_bytes_max)));
  }
  session.operation = extension->name;
  session.expect_allowed(extension->access);
  return extension->handle(session, reader);
}

}  // namespace sftpd::sftp
