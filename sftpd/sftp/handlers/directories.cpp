#include <utility>
#include <vector>

#include "sftpd/sftp/handlers/handlers.h"

namespace sftpd::sftp {
namespace {

constexpr std::size_t name_bytes_max = 255;
constexpr std::size_t names_in_a_reply_max = 160;
constexpr std::size_t attrs_bytes_max = 32;
/// sshfs gives up on replies above 128 KiB, others above 256 KiB.
static_assert(names_in_a_reply_max * (2 * (sizeof(std::uint32_t) + name_bytes_max) +
                                      long_name_prefix_bytes_max + attrs_bytes_max) <
              128 * 1024);

}  // namespace

Reply handle_opendir(Session& session, const PathRequest& request) {
  session.handles.expect_room();
  auto opened = std::make_shared<OpenedDirectory>(OpenedDirectory{
      .directory = session.files->open_directory(request.path), .path = request.path});
  return Handle{session.handles.add(std::move(opened))};
}

Reply handle_readdir(Session& session, const HandleRequest& request) {
  OpenedDirectory& opened = session.handles.directory(request.handle);
  const auto entries = opened.directory->next(static_cast<int>(names_in_a_reply_max));
  if (entries.empty()) return Status{SSH_FX_EOF, {}};
  const std::int64_t now = session.now();
  Names reply;
  reply.names.reserve(entries.size());
  for (const vfs::DirectoryEntry& entry : entries) {
    reply.names.push_back(
        {.name = entry.name,
         .long_name = long_name(entry.name, entry.attributes, session.account, now),
         .attrs = to_attrs(entry.attributes)});
  }
  return reply;
}

Reply handle_mkdir(Session& session, const PathAttrsRequest& request) {
  session.files->make_directory(request.path, permissions_of(request.attrs));
  return Status{SSH_FX_OK, {}};
}

Reply handle_rmdir(Session& session, const PathRequest& request) {
  session.files->remove_directory(request.path);
  return Status{SSH_FX_OK, {}};
}

}  // namespace sftpd::sftp
