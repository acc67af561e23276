#include <utility>

#include "sftpd/sftp/handlers/handlers.h"
#include "sftpd/sftp/packet_writer.h"
#include "sftpd/sftp/status.h"

namespace sftpd::sftp {
namespace {

using Links = vfs::Vfs::Links;

/// PROTOCOL, section 4.4.
constexpr std::uint64_t SSH_FXE_STATVFS_ST_RDONLY = 0x1;

ExtendedReply space_reply(const vfs::Space& space, bool read_only) {
  constexpr std::uint64_t block_bytes = 4096;
  constexpr std::uint64_t file_system_id = 0;
  constexpr std::uint64_t name_bytes_max = 255;
  const std::uint64_t free_blocks = space.free_bytes / block_bytes;
  PacketWriter reply;
  for (std::uint64_t field :
       {block_bytes, block_bytes, space.total_bytes / block_bytes, free_blocks, free_blocks,
        space.total_files, space.free_files, space.free_files, file_system_id,
        read_only ? SSH_FXE_STATVFS_ST_RDONLY : 0, name_bytes_max}) {
    reply.write_u64(field);
  }
  return {std::move(reply).body()};
}

/// Null if the handle is that of a file.
vfs::OpenDirectory* directory_of(Session& session, const std::string& handle) {
  const auto* opened = std::get_if<std::shared_ptr<OpenedDirectory>>(&session.handles.any(handle));
  return opened == nullptr ? nullptr : (*opened)->directory.get();
}

}  // namespace

Reply handle_stat(Session& session, const PathRequest& request) {
  return to_attrs(session.files->stat(request.path, Links::follow));
}

Reply handle_lstat(Session& session, const PathRequest& request) {
  return to_attrs(session.files->stat(request.path, Links::keep));
}

Reply handle_fstat(Session& session, const HandleRequest& request) {
  if (auto* directory = directory_of(session, request.handle)) {
    return to_attrs(directory->attributes());
  }
  return to_attrs(session.handles.file(request.handle)->file->attributes());
}

Reply handle_setstat(Session& session, const PathAttrsRequest& request) {
  return ok_when(
      session.files->set_attributes(request.path, to_changes(request.attrs), Links::follow));
}

Reply handle_fsetstat(Session& session, const HandleAttrsRequest& request) {
  const vfs::AttributeChanges changes = to_changes(request.attrs);
  if (auto* directory = directory_of(session, request.handle)) {
    directory->set_attributes(changes);
    return Status{SSH_FX_OK, {}};
  }
  const std::shared_ptr<OpenedFile>& opened = session.handles.file(request.handle);
  return Deferred(opened->file->set_attributes(changes), [opened]() -> Answer {
    return Status{SSH_FX_OK, {}};
  });
}

Reply handle_lsetstat(Session& session, const PathAttrsRequest& request) {
  if (request.attrs.size) throw Refused(SSH_FX_BAD_MESSAGE, "A link has no size to set");
  return ok_when(
      session.files->set_attributes(request.path, to_changes(request.attrs), Links::keep));
}

Reply handle_statvfs(Session& session, const PathRequest& request) {
  return space_reply(session.files->space(request.path), session.options.read_only);
}

Reply handle_fstatvfs(Session& session, const HandleRequest& request) {
  (void)session.handles.any(request.handle);
  return space_reply(session.files->space(), session.options.read_only);
}

}  // namespace sftpd::sftp
