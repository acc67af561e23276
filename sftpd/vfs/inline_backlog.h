#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace sftpd::vfs {

/// How many bytes wait in PostgreSQL to be moved to the store. Where too many do (the store is
/// away, or slower than clients), new content goes to the store at once, and clients wait for it.
///
/// Counts what this process adds, and learns from each measurement what others added and what was
/// moved. Safe from any thread.
class InlineBacklog {
 public:
  explicit InlineBacklog(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  bool has_room() const { return bytes_.load() < bytes_max_; }
  void added(std::uint64_t bytes) { bytes_ += bytes; }
  void removed(std::uint64_t bytes) { bytes_ -= std::min(bytes, bytes_.load()); }
  void measured(std::uint64_t bytes) { bytes_ = bytes; }
  std::uint64_t bytes() const { return bytes_.load(); }

 private:
  const std::uint64_t bytes_max_;
  std::atomic<std::uint64_t> bytes_ = 0;
};

}  // namespace sftpd::vfs
