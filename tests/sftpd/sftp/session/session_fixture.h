#pragma once

#include "tests/sftpd/sftp/session/client.h"
#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::sftp {

/// A client of the subsystem on the real vfs, with PostgreSQL and a store in memory.
class SessionTest : public vfs::VfsTest {
 protected:
  SessionTest() : client_(std::make_unique<Client>(*files, identity)) {}
  ~SessionTest() override { client_ = nullptr; }

  /// Not VfsTest's, which is about SQL.
  static std::string text(std::string_view bytes) { return wire::text(bytes); }

  std::unique_ptr<Client> client_;
};

}  // namespace sftpd::sftp
