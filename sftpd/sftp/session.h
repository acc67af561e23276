#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sftpd/byte_stream.h"
#include "sftpd/sftp/handle_table.h"
#include "sftpd/sftp/longname.h"
#include "sftpd/sftp/options.h"
#include "sftpd/vfs/vfs.h"

namespace sftpd::sftp {

/// Whether a read-only session may. OPEN decides by its flags.
enum class Access { reads, writes };

/// What handlers work on: one client's tree of files and its open handles. Lives on the
/// connection's thread.
struct Session {
  std::unique_ptr<vfs::Vfs> files;
  const Options& options;
  HandleTable handles;
  Account account;
  ChannelId channel = {};

  // What the log calls the request at hand, and the path it is about.
  std::uint32_t request = 0;
  std::string_view operation = {};
  std::string subject = {};

  /// Throws Refused if this session may not.
  void expect_allowed(Access access) const;
  /// Seconds since 1970.
  std::int64_t now() const;
};

}  // namespace sftpd::sftp
