#include <algorithm>
#include <utility>

#include "sftpd/sftp/handlers/handlers.h"
#include "sftpd/sftp/request_counts.h"
#include "sftpd/sftp/status.h"
#include "sftpd/sftp/transfer_line.h"

namespace sftpd::sftp {
namespace {

/// As OpenSSH reads them: neither READ nor WRITE means READ, and APPEND and EXCL mean nothing
/// alone.
vfs::OpenFlags to_flags(std::uint32_t pflags) {
  const bool write = (pflags & SSH_FXF_WRITE) != 0;
  const bool create = (pflags & SSH_FXF_CREAT) != 0;
  const bool truncate = (pflags & SSH_FXF_TRUNC) != 0;
  if (truncate && !write) throw Refused(SSH_FX_FAILURE, "TRUNC needs WRITE");
  return {.read = (pflags & SSH_FXF_READ) != 0 || !write,
          .write = write,
          .append = write && (pflags & SSH_FXF_APPEND) != 0,
          .create = create,
          .truncate = truncate,
          .exclusive = create && (pflags & SSH_FXF_EXCL) != 0};
}

}  // namespace

Reply handle_open(Session& session, const OpenRequest& request) {
  const vfs::OpenFlags flags = to_flags(request.pflags);
  if (flags.write || flags.create) session.expect_allowed(Access::writes);
  session.handles.expect_room();
  auto file = session.files->open_file(request.path, flags, permissions_of(request.attrs));
  auto opened = std::make_shared<OpenedFile>(
      OpenedFile{.file = std::move(file), .opened_at = std::chrono::steady_clock::now()});
  return Handle{session.handles.add(std::move(opened))};
}

// The handle is gone for the client at once; the file lives until its commit is done, which may be
// after the client has hung up.
Reply handle_close(Session& session, const HandleRequest& request) {
  const HandleTable::Opened opened = session.handles.take(request.handle);
  const auto* file = std::get_if<std::shared_ptr<OpenedFile>>(&opened);
  if (file == nullptr) return Status{SSH_FX_OK, {}};
  TransferLine line(session, **file, session.request);
  return Deferred(logged((*file)->file->close(), std::move(line)), [closed = *file]() -> Answer {
    return Status{SSH_FX_OK, {}};
  });
}

Reply handle_read(Session& session, const ReadRequest& request) {
  const std::shared_ptr<OpenedFile>& opened = session.handles.file(request.handle);
  const std::uint32_t length = std::min(request.length, session.options.read_length_max);
  if (length == 0) return Data{};
  // `opened` goes along, so that a CLOSE behind this READ does not end the file before it.
  Deferred reply(opened->file->read(request.offset, length),
                 [opened](storage::Payload bytes) -> Answer {
                   if (bytes.empty()) return Status{SSH_FX_EOF, {}};
                   return Data{std::move(bytes)};
                 });
  reply.read_bytes = length;
  reply.line = opened.get();
  return reply;
}

Reply handle_write(Session& session, const WriteRequest& request) {
  const std::shared_ptr<OpenedFile>& opened = session.handles.file(request.handle);
  if (session.options.counts) session.options.counts->uploaded_bytes.add(request.bytes.size());
  Deferred reply(opened->file->write(request.offset, request.bytes), [opened]() -> Answer {
    return Status{SSH_FX_OK, {}};
  });
  reply.write_bytes = request.bytes.size();
  reply.line = opened.get();
  return reply;
}

Reply handle_remove(Session& session, const PathRequest& request) {
  session.files->remove_file(request.path);
  return Status{SSH_FX_OK, {}};
}

Reply handle_rename(Session& session, const RenameRequest& request) {
  session.files->rename(request.path, request.new_path);
  return Status{SSH_FX_OK, {}};
}

Reply handle_posix_rename(Session& session, const RenameRequest& request) {
  Deferred reply = ok_when(session.files->rename_over(request.path, request.new_path));
  reply.moves_names = true;
  return reply;
}

Reply handle_fsync(Session& session, const HandleRequest& request) {
  const std::shared_ptr<OpenedFile>& opened = session.handles.file(request.handle);
  return Deferred(opened->file->sync(), [opened]() -> Answer { return Status{SSH_FX_OK, {}}; });
}

Reply handle_copy_data(Session& session, const CopyRequest& request) {
  const std::shared_ptr<OpenedFile>& from = session.handles.file(request.handle);
  const std::shared_ptr<OpenedFile>& to = session.handles.file(request.target_handle);
  if (from == to || from->file->path() == to->file->path()) {
    throw Refused(SSH_FX_FAILURE, "A file cannot be copied into itself");
  }
  return Deferred(
      from->file->copy_to(request.offset, request.length, *to->file, request.target_offset),
      [from, to]() -> Answer {
        return Status{SSH_FX_OK, {}};
      });
}

}  // namespace sftpd::sftp
