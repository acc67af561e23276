#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace sftpd::vfs {

/// Bytes of an edit until it is committed: a nameless file in the scratch directory that holds them
/// at the offsets they have in the edited file, so it is sparse. It goes with the process.
class ScratchFile {
 public:
  /// Throws vfs::Error no_space if it cannot be made.
  explicit ScratchFile(const std::string& directory);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  /// Throws vfs::Error no_space.
  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Fills `into`; what was never written is zeros. Throws vfs::Error internal.
  void read(std::uint64_t offset, std::span<std::byte> into) const;
  /// Gives the disk space of everything back.
  void clear();

 private:
  int descriptor_ = -1;
};

}  // namespace sftpd::vfs
