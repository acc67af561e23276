#pragma once

#include <optional>
#include <string>

namespace sftpd::process {

/// A file that at most one process holds. The kernel lets go of it however the process ends.
class LockFile {
 public:
  /// Nothing if another process holds it. Throws std::system_error if it cannot be made.
  static std::optional<LockFile> try_lock(const std::string& file);

  ~LockFile();
  LockFile(LockFile&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  LockFile& operator=(LockFile&&) = delete;
  LockFile(const LockFile&) = delete;

 private:
  explicit LockFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace sftpd::process
