#pragma once

#include <atomic>

#include "sftpd/ssh/handles.h"

namespace sftpd::ssh {

/// Wakes a thread that polls. raise() from any thread, as often as one likes; the rest belongs to
/// the thread that polls.
class Wake {
 public:
  /// Throws std::runtime_error (no descriptor left).
  Wake();

  void raise() noexcept;
  /// Forgets the raises so far; what they were about is looked at after this.
  void lower() noexcept;
  /// Readable while raised.
  int descriptor() const { return descriptor_.number(); }
  /// Waits until raised, at most so many milliseconds.
  void wait(int timeout_ms) const noexcept;

 private:
  FileDescriptor descriptor_;
  std::atomic<bool> raised_{false};
};

}  // namespace sftpd::ssh
