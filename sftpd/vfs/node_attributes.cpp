#include "sftpd/vfs/node_attributes.h"

#include <chrono>

#include "sftpd/vfs/error.h"

namespace sftpd::vfs {

metadata::Time now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

metadata::Time from_seconds(std::int64_t seconds) {
  return metadata::Time(std::chrono::seconds(seconds));
}

std::int64_t to_seconds(metadata::Time time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

Attributes attributes_of(const metadata::Node& node) {
  Attributes attributes;
  attributes.kind = node.kind;
  attributes.size = node.size;
  attributes.uid = node.uid;
  attributes.gid = node.gid;
  attributes.permissions = node.mode;
  attributes.atime = to_seconds(node.atime);
  attributes.mtime = to_seconds(node.mtime);
  return attributes;
}

metadata::NodeChanges row_changes(const metadata::Node& node, const AttributeChanges& changes) {
  constexpr std::uint32_t leave_it = 0xFFFFFFFF;
  auto foreign = [](std::optional<std::uint32_t> wanted, std::uint32_t own) {
    return wanted && *wanted != leave_it && *wanted != own;
  };
  if (foreign(changes.uid, node.uid) || foreign(changes.gid, node.gid)) {
    throw Error(ErrorCode::permission_denied, "files belong to the account that holds them");
  }
  metadata::NodeChanges row;
  if (changes.permissions) row.mode = *changes.permissions & 07777;
  if (changes.atime) row.atime = from_seconds(*changes.atime);
  if (changes.mtime) row.mtime = from_seconds(*changes.mtime);
  return row;
}

}  // namespace sftpd::vfs
