#include "sftpd/vfs/writing/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "sftpd/vfs/error.h"

namespace sftpd::vfs {

namespace {

int open_nameless(const std::string& directory) {
  const int descriptor = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return descriptor;
  std::string name = directory + "/shoebox-scratch-XXXXXX";
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

}  // namespace

ScratchFile::ScratchFile(const std::string& directory) : descriptor_(open_nameless(directory)) {
  if (descriptor_ < 0) {
    throw Error(ErrorCode::no_space,
                "no scratch file in " + directory + ": " + std::strerror(errno));
  }
}

ScratchFile::~ScratchFile() { ::close(descriptor_); }

void ScratchFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      throw Error(ErrorCode::no_space, std::string("scratch file: ") + std::strerror(errno));
    }
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void ScratchFile::read(std::uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t got = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0) {
      if (errno == EINTR) continue;
      throw Error(ErrorCode::internal, std::string("scratch file: ") + std::strerror(errno));
    }
    if (got == 0) {
      std::memset(into.data(), 0, into.size());
      return;
    }
    offset += static_cast<std::uint64_t>(got);
    into = into.subspan(static_cast<std::size_t>(got));
  }
}

void ScratchFile::clear() {
  if (::ftruncate(descriptor_, 0) != 0) {
    throw Error(ErrorCode::internal, std::string("scratch file: ") + std::strerror(errno));
  }
}

}  // namespace sftpd::vfs
