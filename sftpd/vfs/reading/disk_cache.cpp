#include "sftpd/vfs/reading/disk_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "sftpd/log/log.h"
#include "sftpd/vfs/content/crc32c.h"
#include "sftpd/vfs/content/hash.h"

namespace sftpd::vfs {

namespace {

constexpr int workers_max = 4;
/// What may wait to be written: a slow disk must not hold the memory of readers.
constexpr std::uint64_t waiting_bytes_max = std::uint64_t{16} << 20;
/// Each file costs some 200 bytes of memory.
constexpr std::size_t files_max = 500'000;
constexpr std::size_t object_digits = 32;
constexpr const char* temporary_prefix = "writing-";

/// A descriptor that is closed.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

/// Keys say nothing, but may hold slashes: the first half of a hash names the object.
std::string digest_of(const std::string& key) {
  return hexadecimal(sha256_of(key)).substr(0, object_digits);
}

bool write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

bool read_all(int descriptor, std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t count = ::read(descriptor, into.data(), into.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    into = into.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

/// Of this process: what others left can be told from it.
std::string own_temporary_prefix() { return fmt::format("{}{}-", temporary_prefix, ::getpid()); }

int open_directory(const std::string& directory) {
  auto fail = [&directory](const char* what) {
    throw std::system_error(errno, std::generic_category(),
                            fmt::format("read_cache_directory {}: {}", directory, what));
  };
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) fail("cannot be made");
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail("cannot be opened");
  if (::fchmod(descriptor, 0700) != 0 || ::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    ::close(descriptor);
    errno = reason;
    fail(reason == EWOULDBLOCK ? "another process uses it" : "cannot be taken over");
  }
  return descriptor;
}

}  // namespace

DiskCache::DiskCache(std::string directory, std::uint64_t capacity)
    : directory_(std::move(directory)),
      capacity_(capacity),
      lock_(open_directory(directory_)),
      workers_(workers_max) {
  submit([this] { scan(); });
}

DiskCache::~DiskCache() {
  wait_until_idle();
  ::close(lock_);
}

void DiskCache::submit(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    ++under_way_;
  }
  workers_.submit([this, work = std::move(work)] {
    work();
    std::lock_guard lock(mutex_);
    --under_way_;
    idle_.notify_all();
  });
}

void DiskCache::wait_until_idle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return under_way_ == 0; });
}

std::uint64_t DiskCache::used() const {
  std::lock_guard lock(mutex_);
  return used_;
}

// --- Names of files
// ------------------------------------------------------------------------------

std::string DiskCache::text(const Name& name) {
  return fmt::format("{}-{:x}-{:x}-{:08x}", name.object, name.offset, name.length, name.crc);
}

std::optional<DiskCache::Name> DiskCache::parse(const std::string& text) {
  Name name;
  if (text.size() < object_digits) return {};
  name.object = text.substr(0, object_digits);
  const char* at = text.data() + object_digits;
  const char* end = text.data() + text.size();
  auto number = [&at, end](auto& value) {
    if (at == end || *at != '-') return false;
    const auto [next, error] = std::from_chars(at + 1, end, value, 16);
    at = next;
    return error == std::errc();
  };
  if (!number(name.offset) || !number(name.length) || !number(name.crc)) return {};
  if (DiskCache::text(name) != text || name.length == 0) return {};
  return name;
}

std::string DiskCache::path(const Name& name) const { return directory_ + "/" + text(name); }

void DiskCache::remove_file(const Name& name) const noexcept { ::unlink(path(name).c_str()); }

// --- The index
// -----------------------------------------------------------------------------------

bool DiskCache::overlaps_locked(const Name& name) const {
  const auto object = objects_.find(name.object);
  if (object == objects_.end()) return false;
  const auto next = object->second.lower_bound(name.offset);
  if (next != object->second.end() && next->first < name.offset + name.length) return true;
  if (next == object->second.begin()) return false;
  const Name& before = *std::prev(next)->second;
  return before.offset + before.length > name.offset;
}

/// False if it overlaps what is there.
bool DiskCache::add_locked(const Name& name, Lru::iterator place) {
  if (overlaps_locked(name)) return false;
  objects_[name.object][name.offset] = lru_.insert(place, name);
  used_ += name.length;
  return true;
}

DiskCache::Lru DiskCache::make_room_locked(std::uint64_t bytes) {
  Lru gone;
  while (!lru_.empty() && (used_ + bytes > capacity_ || lru_.size() >= files_max)) {
    const auto last = std::prev(lru_.end());
    auto object = objects_.find(last->object);
    object->second.erase(last->offset);
    if (object->second.empty()) objects_.erase(object);
    used_ -= last->length;
    gone.splice(gone.end(), lru_, last);
  }
  return gone;
}

void DiskCache::forget(const Name& name) {
  {
    std::lock_guard lock(mutex_);
    const auto object = objects_.find(name.object);
    if (object == objects_.end()) return;
    const auto entry = object->second.find(name.offset);
    if (entry == object->second.end() || text(*entry->second) != text(name)) return;
    used_ -= name.length;
    lru_.erase(entry->second);
    object->second.erase(entry);
    if (object->second.empty()) objects_.erase(object);
  }
  remove_file(name);
}

void DiskCache::drop(const std::string& key) {
  Lru gone;
  {
    std::lock_guard lock(mutex_);
    ++drops_;
    const auto object = objects_.find(digest_of(key));
    if (object == objects_.end()) return;
    for (const auto& [offset, entry] : object->second) {
      used_ -= entry->length;
      gone.splice(gone.end(), lru_, entry);
    }
    objects_.erase(object);
  }
  for (const Name& name : gone) remove_file(name);
}

std::optional<DiskCache::Range> DiskCache::find(const std::string& key, std::uint64_t offset) {
  const std::string digits = digest_of(key);
  std::lock_guard lock(mutex_);
  const auto object = objects_.find(digits);
  if (object == objects_.end()) return {};
  auto next = object->second.upper_bound(offset);
  if (next == object->second.begin()) return {};
  const Name& name = *std::prev(next)->second;
  if (name.offset + name.length <= offset) return {};
  return Range{name.offset, name.length};
}

// --- The files
// -----------------------------------------------------------------------------------

/// Finds what an earlier process left; its modification time says when a file was used last.
void DiskCache::scan() {
  namespace fs = std::filesystem;
  std::vector<std::pair<fs::file_time_type, Name>> found;
  std::error_code error;
  for (fs::directory_iterator file(directory_, error), end; !error && file != end;
       file.increment(error)) {
    std::error_code ignored;
    const std::string text = file->path().filename().string();
    const auto name = parse(text);
    if (name && file->file_size(ignored) == name->length) {
      found.emplace_back(file->last_write_time(ignored), *name);
    } else if (name ||
               (text.starts_with(temporary_prefix) && !text.starts_with(own_temporary_prefix()))) {
      ::unlink(file->path().c_str());
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  Lru gone;
  {
    std::lock_guard lock(mutex_);
    for (auto& [used_at, name] : found) {
      if (used_ + name.length <= capacity_ && lru_.size() < files_max &&
          add_locked(name, lru_.end())) {
        continue;
      }
      const auto object = objects_.find(name.object);
      const bool known = object != objects_.end() && object->second.contains(name.offset) &&
                         text(*object->second.at(name.offset)) == text(name);
      if (!known) gone.push_back(std::move(name));  // Else it was written meanwhile.
    }
  }
  for (const Name& name : gone) remove_file(name);
  log::info("read cache on disk",
            {{"path", directory_}, {"files", found.size() - gone.size()}, {"bytes", used()}});
}

void DiskCache::read(const std::string& key, std::uint64_t offset, Done done) {
  submit([this, digits = digest_of(key), offset, done = std::move(done)] {
    std::optional<Name> name;
    {
      std::lock_guard lock(mutex_);
      const auto object = objects_.find(digits);
      if (object != objects_.end() && object->second.contains(offset)) {
        const auto entry = object->second.at(offset);
        name = *entry;
        lru_.splice(lru_.begin(), lru_, entry);
      }
    }
    std::optional<storage::Payload> bytes;
    if (name) {
      bytes = load(*name);
      if (!bytes) forget(*name);
    }
    done(std::move(bytes));
  });
}

std::optional<storage::Payload> DiskCache::load(const Name& name) noexcept {
  try {
    const Descriptor file(::open(path(name).c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return {};
    std::vector<std::byte> bytes(static_cast<std::size_t>(name.length));
    if (!read_all(file.get(), bytes) || crc32c(0, bytes) != name.crc) return {};
    ::futimens(file.get(), nullptr);  // For the order of the next process.
    return storage::Payload(std::move(bytes));
  } catch (const std::exception&) {
    return {};
  }
}

void DiskCache::keep(const std::string& key, std::uint64_t offset, storage::Payload bytes) {
  Name name{digest_of(key), offset, bytes.size(), 0};
  std::uint64_t drops = 0;
  {
    std::lock_guard lock(mutex_);
    const bool fits = name.length > 0 && name.length <= capacity_;
    if (!fits || waiting_bytes_ + name.length > waiting_bytes_max || overlaps_locked(name)) return;
    waiting_bytes_ += name.length;
    drops = drops_;
  }
  submit([this, name, drops, bytes = std::move(bytes)]() mutable {
    name.crc = crc32c(0, bytes.bytes());
    write(name, bytes, drops);
    std::lock_guard lock(mutex_);
    waiting_bytes_ -= name.length;
  });
}

/// Room first, then the bytes, then the name: nobody finds a file that is not whole.
void DiskCache::write(const Name& name, const storage::Payload& bytes, std::uint64_t drops) noexcept
    try {
  Lru gone;
  {
    std::lock_guard lock(mutex_);
    gone = make_room_locked(name.length);
    used_ += name.length;
  }
  for (const Name& old : gone) remove_file(old);
  const std::string temporary =
      fmt::format("{}/{}{}", directory_, own_temporary_prefix(), ++temporary_);
  const bool written = write_temporary(temporary, bytes);
  std::lock_guard lock(mutex_);
  used_ -= name.length;
  const bool wanted =
      written && drops == drops_ && used_ + name.length <= capacity_ && !overlaps_locked(name);
  if (wanted && ::rename(temporary.c_str(), path(name).c_str()) == 0) {
    add_locked(name, lru_.begin());
  } else {
    ::unlink(temporary.c_str());
  }
} catch (const std::exception&) {
  // It is fetched again when somebody wants it.
}

bool DiskCache::write_temporary(const std::string& file, const storage::Payload& bytes) const {
  const Descriptor made(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  return made.get() >= 0 && write_all(made.get(), bytes.bytes());
}

}  // namespace sftpd::vfs
