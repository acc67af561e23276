#include <span>
#include <utility>

#include "sftpd/sftp/handlers/handlers.h"
#include "sftpd/sftp/packet_writer.h"
#include "sftpd/sftp/status.h"

namespace sftpd::sftp {
namespace {

/// A name for each id: the user's own, else empty.
std::string names_for(std::span<const std::uint32_t> ids, std::uint32_t own_id,
                      std::string_view own_name) {
  PacketWriter names;
  for (std::uint32_t id : ids) names.write_string(id == own_id ? own_name : std::string_view());
  return std::move(names).body();
}

}  // namespace

Reply handle_limits(Session& session, const EmptyRequest&) {
  const Options& options = session.options;
  PacketWriter reply;
  reply.write_u64(options.packet_length_max);
  reply.write_u64(options.read_length_max);
  reply.write_u64(options.write_length_max);
  reply.write_u64(options.handles_max);
  return ExtendedReply{std::move(reply).body()};
}

Reply handle_users_groups_by_id(Session& session, const NamesByIdRequest& request) {
  const Account& account = session.account;
  const std::size_t ids = request.uids.size() + request.gids.size();
  if (ids * (sizeof(std::uint32_t) + account.name.size()) > session.options.read_length_max) {
    throw Refused(SSH_FX_FAILURE, "Too many ids in one request");
  }
  PacketWriter reply;
  reply.write_string(names_for(request.uids, account.uid, account.name));
  reply.write_string(names_for(request.gids, account.gid, account.name));
  return ExtendedReply{std::move(reply).body()};
}

}  // namespace sftpd::sftp
