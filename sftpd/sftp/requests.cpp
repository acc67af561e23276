#include "sftpd/sftp/requests.h"

#include <utility>

namespace sftpd::sftp {
namespace {

/// A string that holds nothing but integers.
std::vector<std::uint32_t> read_ids(PacketReader& reader) {
  PacketReader inner(reader.read_payload());
  std::vector<std::uint32_t> ids;
  ids.reserve(inner.remaining() / sizeof(std::uint32_t));
  while (inner.remaining() != 0) ids.push_back(inner.read_u32());
  return ids;
}

}  // namespace

NamesByIdRequest NamesByIdRequest::decode(PacketReader& reader) {
  return {.uids = read_ids(reader), .gids = read_ids(reader)};
}

}  // namespace sftpd::sftp
