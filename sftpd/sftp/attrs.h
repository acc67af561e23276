#pragma once

#include <cstdint>
#include <optional>

#include "sftpd/sftp/packet_reader.h"
#include "sftpd/sftp/packet_writer.h"
#include "sftpd/vfs/attributes.h"

namespace sftpd::sftp {

/// ATTRS (the draft, section 5): only what is set is sent. Its extended pairs are skipped.
struct Attrs {
  struct Owner {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
  };
  struct Times {
    std::uint32_t atime = 0;  ///< seconds since 1970
    std::uint32_t mtime = 0;
  };
  std::optional<std::uint64_t> size;
  std::optional<Owner> owner;
  std::optional<std::uint32_t> permissions;  ///< st_mode, with the type of the file
  std::optional<Times> times;
};

/// Throws MalformedPacket.
Attrs read_attrs(PacketReader& reader);
void write_attrs(PacketWriter& writer, const Attrs& attrs);

/// All four; times outside of 32 bits become the nearest that fits.
Attrs to_attrs(const vfs::Attributes& attributes);
vfs::AttributeChanges to_changes(const Attrs& attrs);
/// What counts for something new: its permissions alone, as with open(2) and mkdir(2).
vfs::AttributeChanges permissions_of(const Attrs& attrs);

}  // namespace sftpd::sftp
