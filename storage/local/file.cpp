#include "storage/local/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include "storage/error.h"

namespace storage::local {
namespace {

// Linux moves at most this many bytes a call; larger wishes are cut.
constexpr std::uint64_t io_size_max = 1ULL << 30;
constexpr std::size_t attribute_size_max = 64U << 10;
constexpr std::size_t copy_buffer_bytes = 1U << 20;

ErrorCode code_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::no_space;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::access_denied;
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case EEXIST:
    case ENAMETOOLONG:
    case EFBIG:
    case EINVAL:
      return ErrorCode::rejected;
    default:
      return ErrorCode::unavailable;
  }
}

off_t as_offset(std::uint64_t value) { return static_cast<off_t>(value); }

}  // namespace

void throw_errno(int error, const std::string& action, const std::filesystem::path& path) {
  throw Error(code_of(error),
              action + " " + path.string() + ": " + std::generic_category().message(error));
}

File::File(int descriptor, std::filesystem::path path)
    : descriptor_(descriptor), path_(std::move(path)) {}
File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}
File::~File() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::optional<File> File::open_existing(const std::filesystem::path& path, int flags) {
  const int descriptor = open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor >= 0) return File(descriptor, path);
  if (errno == ENOENT || errno == ENOTDIR || errno == EISDIR) return std::nullopt;
  throw_errno(errno, "open", path);
}

File File::create(const std::filesystem::path& path) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) throw_errno(errno, "create", path);
  return File(descriptor, path);
}

void File::fail(const char* action) const { throw_errno(errno, action, path_); }

void File::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        pwrite(descriptor_, bytes.data(), std::min<std::size_t>(bytes.size(), io_size_max),
               as_offset(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write");
    offset += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void File::append(const std::string& text) {
  ssize_t written = 0;
  do {
    written = write(descriptor_, text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written < 0) fail("append to");
  if (static_cast<std::size_t>(written) != text.size()) {
    errno = ENOSPC;
    fail("append to");
  }
}

LargeBuffer File::read_at(std::uint64_t offset, std::uint64_t length) const {
  LargeBuffer bytes;
  const std::uint64_t end = size();
  if (offset >= end) return bytes;
  const auto room = bytes.extend(static_cast<std::size_t>(std::min(length, end - offset)));
  std::size_t done = 0;
  while (done < room.size()) {
    const ssize_t count =
        pread(descriptor_, room.data() + done,
              std::min<std::size_t>(room.size() - done, io_size_max), as_offset(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.shrink_to(done);
  return bytes;
}

// False where this pair of files cannot be copied so; what is left is in the parameters.
bool File::copy_in_kernel(const File& source, std::uint64_t& source_offset, std::uint64_t& offset,
                          std::uint64_t& length) {
  while (length > 0) {
    auto from = static_cast<off64_t>(source_offset);
    auto to = static_cast<off64_t>(offset);
    const ssize_t copied =
        copy_file_range(source.descriptor_, &from, descriptor_, &to,
                        static_cast<std::size_t>(std::min(length, io_size_max)), 0);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0 && (errno == ENOSPC || errno == EIO || errno == EDQUOT)) fail("copy into");
    if (copied <= 0) return false;
    source_offset += static_cast<std::uint64_t>(copied);
    offset += static_cast<std::uint64_t>(copied);
    length -= static_cast<std::uint64_t>(copied);
  }
  return true;
}

void File::copy_from(const File& source, std::uint64_t source_offset, std::uint64_t offset,
                     std::uint64_t length) {
  if (copy_in_kernel(source, source_offset, offset, length)) return;
  while (length > 0) {
    const auto bytes =
        source.read_at(source_offset, std::min<std::uint64_t>(length, copy_buffer_bytes));
    if (bytes.empty())
      throw Error(ErrorCode::rejected, "the source ends: " + source.path_.string());
    write_at(offset, bytes.bytes());
    source_offset += bytes.size();
    offset += bytes.size();
    length -= bytes.size();
  }
}

void File::truncate(std::uint64_t size) {
  if (ftruncate(descriptor_, as_offset(size)) != 0) fail("truncate");
}

void File::sync_data() {
  if (fdatasync(descriptor_) != 0) fail("sync");
}

void File::sync() {
  if (fsync(descriptor_) != 0) fail("sync");
}

void File::lock(int kind) {
  int result = 0;
  do {
    result = flock(descriptor_, kind);
  } while (result != 0 && errno == EINTR);
  if (result != 0) fail("lock");
}
void File::lock_shared() { lock(LOCK_SH); }
void File::lock_alone() { lock(LOCK_EX); }

std::uint64_t File::size() const {
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) fail("stat");
  return static_cast<std::uint64_t>(status.st_size);
}

bool File::is_regular() const {
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) fail("stat");
  return S_ISREG(status.st_mode);
}

bool File::is_at(const std::filesystem::path& path) const {
  struct stat ours {};
  struct stat named {};
  if (fstat(descriptor_, &ours) != 0) fail("stat");
  return lstat(path.c_str(), &named) == 0 && named.st_ino == ours.st_ino &&
         named.st_dev == ours.st_dev;
}

std::chrono::system_clock::time_point File::modified() const {
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) fail("stat");
  return std::chrono::system_clock::from_time_t(status.st_mtim.tv_sec);
}

std::optional<std::string> File::attribute(const char* name) const {
  std::string value(attribute_size_max, '\0');
  const ssize_t size = fgetxattr(descriptor_, name, value.data(), value.size());
  if (size < 0) {
    if (errno == ENODATA || errno == ENOTSUP) return std::nullopt;
    fail("read the attribute of");
  }
  value.resize(static_cast<std::size_t>(size));
  return value;
}

bool File::set_attribute(const char* name, const std::string& value) {
  if (fsetxattr(descriptor_, name, value.data(), value.size(), 0) == 0) return true;
  // Too large for this file system's attributes is no different from having none.
  if (errno == ENOTSUP || errno == EPERM || errno == E2BIG || errno == ENOSPC || errno == ERANGE) {
    return false;
  }
  fail("set the attribute of");
}

void sync_directory(const std::filesystem::path& directory) {
  const int descriptor = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) throw_errno(errno, "open", directory);
  const int result = fsync(descriptor);
  const int error = errno;
  close(descriptor);
  if (result != 0) throw_errno(error, "sync", directory);
}

void make_directories(const std::filesystem::path& root, const std::filesystem::path& below) {
  std::filesystem::path current = root;
  for (const auto& name : below) {
    const std::filesystem::path parent = current;
    current /= name;
    if (mkdir(current.c_str(), 0700) != 0 && errno != EEXIST) throw_errno(errno, "make", current);
    sync_directory(parent);
  }
}

void rename_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) throw_errno(errno, "rename to", to);
}

void remove_file(const std::filesystem::path& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) {
    throw_errno(errno, "remove", path);
  }
}

}  // namespace storage::local
