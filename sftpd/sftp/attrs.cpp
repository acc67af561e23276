#include "sftpd/sftp/attrs.h"

#include <algorithm>
#include <limits>

namespace sftpd::sftp {
namespace {

/// Each pair is two strings, so it takes eight bytes or more: a greater count is a lie.
constexpr std::size_t extended_pair_bytes_min = 8;

void skip_extended_pairs(PacketReader& reader) {
  const std::uint32_t count = reader.read_u32();
  if (count > reader.remaining() / extended_pair_bytes_min) {
    throw MalformedPacket("more extended attributes than bytes for them");
  }
  for (std::uint32_t pair = 0; pair < count; ++pair) {
    reader.read_view();
    reader.read_view();
  }
}

std::uint32_t to_wire_time(std::int64_t seconds) {
  constexpr std::int64_t latest = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, 0, latest));
}

}  // namespace

Attrs read_attrs(PacketReader& reader) {
  Attrs attrs;
  const std::uint32_t flags = reader.read_u32();
  if (flags & SSH_FILEXFER_ATTR_SIZE) attrs.size = reader.read_u64();
  if (flags & SSH_FILEXFER_ATTR_UIDGID) {
    attrs.owner = Attrs::Owner{.uid = reader.read_u32(), .gid = reader.read_u32()};
  }
  if (flags & SSH_FILEXFER_ATTR_PERMISSIONS) attrs.permissions = reader.read_u32();
  if (flags & SSH_FILEXFER_ATTR_ACMODTIME) {
    attrs.times = Attrs::Times{.atime = reader.read_u32(), .mtime = reader.read_u32()};
  }
  if (flags & SSH_FILEXFER_ATTR_EXTENDED) skip_extended_pairs(reader);
  return attrs;
}

void write_attrs(PacketWriter& writer, const Attrs& attrs) {
  writer.write_u32((attrs.size ? SSH_FILEXFER_ATTR_SIZE : 0U) |
                   (attrs.owner ? SSH_FILEXFER_ATTR_UIDGID : 0U) |
                   (attrs.permissions ? SSH_FILEXFER_ATTR_PERMISSIONS : 0U) |
                   (attrs.times ? SSH_FILEXFER_ATTR_ACMODTIME : 0U));
  if (attrs.size) writer.write_u64(*attrs.size);
  if (attrs.owner) {
    writer.write_u32(attrs.owner->uid);
    writer.write_u32(attrs.owner->gid);
  }
  if (attrs.permissions) writer.write_u32(*attrs.permissions);
  if (attrs.times) {
    writer.write_u32(attrs.times->atime);
    writer.write_u32(attrs.times->mtime);
  }
}

Attrs to_attrs(const vfs::Attributes& attributes) {
  return {.size = attributes.size,
          .owner = Attrs::Owner{.uid = attributes.uid, .gid = attributes.gid},
          .permissions = attributes.posix_mode(),
          .times = Attrs::Times{.atime = to_wire_time(attributes.atime),
                                .mtime = to_wire_time(attributes.mtime)}};
}

vfs::AttributeChanges to_changes(const Attrs& attrs) {
  vfs::AttributeChanges changes = permissions_of(attrs);
  changes.size = attrs.size;
  if (attrs.owner) {
    changes.uid = attrs.owner->uid;
    changes.gid = attrs.owner->gid;
  }
  if (attrs.times) {
    changes.atime = attrs.times->atime;
    changes.mtime = attrs.times->mtime;
  }
  return changes;
}

vfs::AttributeChanges permissions_of(const Attrs& attrs) {
  vfs::AttributeChanges changes;
  changes.permissions = attrs.permissions;
  return changes;
}

}  // namespace sftpd::sftp
