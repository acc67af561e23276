#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "sftpd/vfs/executor.h"
#include "storage/payload.h"

namespace sftpd::vfs {

/// Segments of objects in a directory of the local disk, behind the cache in memory. It survives
/// restarts.
///
/// A file's name says what is in it: a hash of the object's key, offset, length, and the bytes'
/// CRC-32C, which is compared whenever the file is read; what does not fit is deleted. Files are
/// written behind and renamed into place, so a crash leaves nothing but a temporary one, removed at
/// the next start. The least recently used go first. A disk that is full, slow or broken costs hits
/// and nothing else. One process a directory. Safe from any thread.
class DiskCache {
 public:
  /// Takes the directory over, made if it is missing (0700); what is in it is found in the
  /// background. Throws std::system_error if it cannot be used, or another process uses it.
  DiskCache(std::string directory, std::uint64_t capacity);
  /// Finishes what was begun.
  ~DiskCache();
  DiskCache(const DiskCache&) = delete;
  DiskCache& operator=(const DiskCache&) = delete;

  struct Range {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
  };
  /// The segment that covers the byte at `offset`, if there is one.
  std::optional<Range> find(const std::string& key, std::uint64_t offset);

  /// Reads a segment that find() named. Calls back on another thread; without bytes if it is not
  /// there any more, or not what was written.
  using Done = std::function<void(std::optional<storage::Payload>)>;
  void read(const std::string& key, std::uint64_t offset, Done done);

  /// Writes a segment, later; or not, if it overlaps another one or too much waits already.
  void keep(const std::string& key, std::uint64_t offset, storage::Payload bytes);

  /// Forgets an object.
  void drop(const std::string& key);

  std::uint64_t used() const;
  /// Waits until everything that was begun is done, the look at the directory too.
  void wait_until_idle();

 private:
  struct Name {
    std::string object;  ///< hash of its key
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint32_t crc = 0;
  };
  using Lru = std::list<Name>;
  using Object = std::map<std::uint64_t, Lru::iterator>;  ///< by offset

  static std::string text(const Name& name);
  static std::optional<Name> parse(const std::string& text);
  std::string path(const Name& name) const;
  void submit(std::function<void()> work);

  void scan();
  void write(const Name& name, const storage::Payload& bytes, std::uint64_t drops) noexcept;
  bool write_temporary(const std::string& file, const storage::Payload& bytes) const;
  std::optional<storage::Payload> load(const Name& name) noexcept;
  void remove_file(const Name& name) const noexcept;

  bool overlaps_locked(const Name& name) const;
  bool add_locked(const Name& name, Lru::iterator place);
  /// Takes out what has to go, to be deleted outside of the lock.
  Lru make_room_locked(std::uint64_t bytes);
  void forget(const Name& name);

  const std::string directory_;
  const std::uint64_t capacity_;
  int lock_ = -1;  ///< held on the directory as long as we use it
  std::atomic<std::uint64_t> temporary_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::unordered_map<std::string, Object> objects_;
  Lru lru_;                  ///< most recently used first
  std::uint64_t used_ = 0;   ///< also by what is being written
  std::uint64_t drops_ = 0;  ///< what was asked to be kept before one may be what it dropped
  std::uint64_t waiting_bytes_ = 0;  ///< to be written
  int under_way_ = 0;
  Executor workers_;  ///< last: it goes before what its work uses
};

}  // namespace sftpd::vfs
