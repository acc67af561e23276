#pragma once

#include <memory>
#include <optional>

#include "sftpd/byte_stream.h"
#include "sftpd/sftp/options.h"
#include "sftpd/vfs/vfs.h"

namespace sftpd::sftp {

/// The "sftp" subsystem on one channel: SFTP version 3 for one logged-in user.
///
/// Requests take effect in the order in which they arrive; those that wait for the object store are
/// answered when it has answered, in whatever order that is. It stops reading while the client
/// does not fetch its replies or the store does not keep up. Lives on the connection's thread.
/// Destroying it drops the open handles; what was received is kept (see vfs::FileHandle).
class Subsystem : public ChannelProgram {
 public:
  /// `stream` must outlive it.
  Subsystem(std::unique_ptr<vfs::Vfs> files, ByteStream& stream, Options options,
            ChannelId channel);
  ~Subsystem() override;

  /// Finished with 0 when the client ended, with 1 when it broke the protocol.
  std::optional<int> step() override;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace sftpd::sftp
