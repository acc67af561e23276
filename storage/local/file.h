#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/large_buffer.h"

namespace storage::local {

/// An open file descriptor, closed with it, and the calls the store makes of it. All throw
/// storage::Error (no_space, access_denied, rejected, unavailable) with the path in the message.
class File {
 public:
  /// Nothing where it does not exist (or a directory stands in its way).
  static std::optional<File> open_existing(const std::filesystem::path& path, int flags);
  /// Makes a new file, 0600.
  static File create(const std::filesystem::path& path);

  File(File&& other) noexcept;
  File& operator=(File&&) = delete;
  ~File();

  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  /// In one write(2) at the end, so that lines of several writers do not mix.
  void append(const std::string& text);
  LargeBuffer read_at(std::uint64_t offset, std::uint64_t length) const;
  /// Copies inside the kernel; shares blocks where the file system can.
  void copy_from(const File& source, std::uint64_t source_offset, std::uint64_t offset,
                 std::uint64_t length);
  void truncate(std::uint64_t size);
  /// Makes contents durable.
  void sync_data();
  /// Makes contents and attributes durable.
  void sync();
  /// Waits for the lock of the whole file, shared or alone; it ends with this File.
  void lock_shared();
  void lock_alone();

  std::uint64_t size() const;
  bool is_regular() const;
  /// Whether `path` still names this very file.
  bool is_at(const std::filesystem::path& path) const;
  std::chrono::system_clock::time_point modified() const;
  /// Nothing where it has none, or the file system knows no such thing.
  std::optional<std::string> attribute(const char* name) const;
  /// False where the file system cannot keep it.
  bool set_attribute(const char* name, const std::string& value);

 private:
  File(int descriptor, std::filesystem::path path);
  void lock(int kind);
  [[noreturn]] void fail(const char* action) const;
  bool copy_in_kernel(const File& source, std::uint64_t& source_offset, std::uint64_t& offset,
                      std::uint64_t& length);

  int descriptor_;
  std::filesystem::path path_;
};

/// Throws the storage::Error for an errno.
[[noreturn]] void throw_errno(int error, const std::string& action,
                              const std::filesystem::path& path);
/// Makes names in a directory durable.
void sync_directory(const std::filesystem::path& directory);
/// Makes a directory with all above it, below `root`, and syncs them even if they were there: who
/// made them may have crashed before.
void make_directories(const std::filesystem::path& root, const std::filesystem::path& below);
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);
/// A missing file is removed already.
void remove_file(const std::filesystem::path& path);

}  // namespace storage::local
