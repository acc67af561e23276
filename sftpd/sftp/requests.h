#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sftpd/sftp/attrs.h"
#include "sftpd/sftp/packet_reader.h"
#include "storage/payload.h"

namespace sftpd::sftp {

// What follows the type and the id in each request, in the order of the draft's section 6. Braced
// initialisers run left to right, so each decode() reads in wire order. It throws MalformedPacket.

/// LSTAT, STAT, OPENDIR, REMOVE, RMDIR, REALPATH, READLINK, statvfs@ and expand-path@openssh.com.
struct PathRequest {
  std::string path;
  static PathRequest decode(PacketReader& reader) { return {.path = reader.read_string()}; }
};

/// CLOSE, FSTAT, READDIR, fsync@ and fstatvfs@openssh.com.
struct HandleRequest {
  std::string handle;
  static HandleRequest decode(PacketReader& reader) { return {.handle = reader.read_string()}; }
};

struct OpenRequest {
  std::string path;
  std::uint32_t pflags = 0;  ///< of SSH_FXF_*
  Attrs attrs;
  static OpenRequest decode(PacketReader& reader) {
    return {.path = reader.read_string(), .pflags = reader.read_u32(), .attrs = read_attrs(reader)};
  }
};

struct ReadRequest {
  std::string handle;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  static ReadRequest decode(PacketReader& reader) {
    return {
        .handle = reader.read_string(), .offset = reader.read_u64(), .length = reader.read_u32()};
  }
};

struct WriteRequest {
  std::string handle;
  std::uint64_t offset = 0;
  storage::Payload bytes;
  static WriteRequest decode(PacketReader& reader) {
    WriteRequest request{.handle = reader.read_string(),
                         .offset = reader.read_u64(),
                         .bytes = reader.read_payload()};
    // rclone 1.60 (Debian 12) sends its whole buffer with the last, shorter write of a file;
    // OpenSSH ignores what exceeds the length.
    reader.skip_rest();
    return request;
  }
};

/// SETSTAT, MKDIR, lsetstat@openssh.com.
struct PathAttrsRequest {
  std::string path;
  Attrs attrs;
  static PathAttrsRequest decode(PacketReader& reader) {
    return {.path = reader.read_string(), .attrs = read_attrs(reader)};
  }
};

/// FSETSTAT.
struct HandleAttrsRequest {
  std::string handle;
  Attrs attrs;
  static HandleAttrsRequest decode(PacketReader& reader) {
    return {.handle = reader.read_string(), .attrs = read_attrs(reader)};
  }
};

/// RENAME, posix-rename@openssh.com.
struct RenameRequest {
  std::string path;
  std::string new_path;
  static RenameRequest decode(PacketReader& reader) {
    return {.path = reader.read_string(), .new_path = reader.read_string()};
  }
};

/// SYMLINK in OpenSSH's order, which is not the draft's and is what clients send.
struct SymlinkRequest {
  std::string target;
  std::string path;
  static SymlinkRequest decode(PacketReader& reader) {
    return {.target = reader.read_string(), .path = reader.read_string()};
  }
};

/// limits@openssh.com.
struct EmptyRequest {
  static EmptyRequest decode(PacketReader&) { return {}; }
};

/// copy-data.
struct CopyRequest {
  std::string handle;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< 0: to the end
  std::string target_handle;
  std::uint64_t target_offset = 0;
  static CopyRequest decode(PacketReader& reader) {
    return {.handle = reader.read_string(),
            .offset = reader.read_u64(),
            .length = reader.read_u64(),
            .target_handle = reader.read_string(),
            .target_offset = reader.read_u64()};
  }
};

/// home-directory.
struct UserRequest {
  std::string user;  ///< empty: who asks
  static UserRequest decode(PacketReader& reader) { return {.user = reader.read_string()}; }
};

/// users-groups-by-id@openssh.com.
struct NamesByIdRequest {
  std::vector<std::uint32_t> uids;
  std::vector<std::uint32_t> gids;
  static NamesByIdRequest decode(PacketReader& reader);
};

}  // namespace sftpd::sftp
