#include "sftpd/sftp/operations.h"

#include "sftpd/sftp/handlers/handlers.h"

namespace sftpd::sftp {
namespace {

/// Every request we answer, in the draft's order. To add one: write its handler, add its row. INIT
/// has no id and no row: the dispatcher answers it.
constexpr Operation table[] = {
    {SSH_FXP_OPEN, "open", answer<handle_open>, Access::reads},
    {SSH_FXP_CLOSE, "close", answer<handle_close>, Access::reads},
    {SSH_FXP_READ, "read", answer<handle_read>, Access::reads},
    {SSH_FXP_WRITE, "write", answer<handle_write>, Access::writes},
    {SSH_FXP_LSTAT, "lstat", answer<handle_lstat>, Access::reads},
    {SSH_FXP_FSTAT, "fstat", answer<handle_fstat>, Access::reads},
    {SSH_FXP_SETSTAT, "setstat", answer<handle_setstat>, Access::writes},
    {SSH_FXP_FSETSTAT, "fsetstat", answer<handle_fsetstat>, Access::writes},
    {SSH_FXP_OPENDIR, "opendir", answer<handle_opendir>, Access::reads},
    {SSH_FXP_READDIR, "readdir", answer<handle_readdir>, Access::reads},
    {SSH_FXP_REMOVE, "remove", answer<handle_remove>, Access::writes},
    {SSH_FXP_MKDIR, "mkdir", answer<handle_mkdir>, Access::writes},
    {SSH_FXP_RMDIR, "rmdir", answer<handle_rmdir>, Access::writes},
    {SSH_FXP_REALPATH, "realpath", answer<handle_realpath>, Access::reads},
    {SSH_FXP_STAT, "stat", answer<handle_stat>, Access::reads},
    {SSH_FXP_RENAME, "rename", answer<handle_rename>, Access::writes},
    {SSH_FXP_READLINK, "readlink", answer<handle_readlink>, Access::reads},
    {SSH_FXP_SYMLINK, "symlink", answer<handle_symlink>, Access::writes},
    {SSH_FXP_EXTENDED, "extended", handle_extended, Access::reads},
};

}  // namespace

std::span<const Operation> operations() { return table; }

}  // namespace sftpd::sftp
