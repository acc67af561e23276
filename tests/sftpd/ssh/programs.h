#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "sftpd/byte_stream.h"
#include "sftpd/ssh/server.h"

namespace sftpd::ssh::testing {

/// What the tests may look at and turn while programs run.
struct ProgramControl {
  std::atomic<int> alive{0};         ///< programs that exist
  std::atomic<bool> may_read{true};  ///< "stall" reads only while this is set
  std::atomic<std::uint64_t> read{0};
  std::atomic<bool> symlink_link_first{false};

  /// Lets the last "stall" look at may_read.
  void wake_stalled() {
    std::lock_guard lock(mutex);
    if (stalled) stalled();
  }
  std::mutex mutex;
  std::function<void()> stalled;  ///< its waker
};

/// Programs by command line: "echo", "discard" (answers "<bytes> <sha256>" at EOF), "source
/// <bytes>", "stall" (reads nothing while may_read is unset), "exit <status>", "throw", "who"
/// (login, subsystem or exec, text); everything else is refused.
std::unique_ptr<ChannelProgram> make_program(ProgramControl& control, const auth::Login& login,
                                             const SessionInfo& session,
                                             const ChannelRequest& request, ByteStream& stream);

/// The SHA-256, in hex, of what "source <bytes>" sends.
std::string sha256_of_source(std::uint64_t bytes);

}  // namespace sftpd::ssh::testing
