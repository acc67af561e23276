#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

#include "storage/page_block.h"

namespace sftpd::vfs {

/// Growable memory for one part of an upload, and which of its bytes have arrived.
///
/// Growing copies nothing that is large: a part of some size lies in a storage::PageBlock. Not
/// thread-safe.
class PartBuffer {
 public:
  PartBuffer() = default;
  ~PartBuffer();
  PartBuffer(PartBuffer&& other) noexcept;
  PartBuffer& operator=(PartBuffer&& other) noexcept;

  /// The capacity that holding `size` bytes needs: what has to be reserved in the pool.
  static std::size_t capacity_for(std::size_t size);
  std::size_t capacity() const { return capacity_; }
  /// Throws std::bad_alloc.
  void grow(std::size_t capacity);

  /// `offset + bytes.size()` must lie inside the capacity.
  void write(std::size_t offset, std::span<const std::byte> bytes);

  /// Bytes from the beginning that have all arrived.
  std::size_t contiguous() const;
  bool has(std::size_t offset, std::size_t length) const;
  /// What arrived behind the first gap: offset -> length.
  std::map<std::size_t, std::size_t> behind_gap() const;

  std::span<const std::byte> bytes(std::size_t offset, std::size_t length) const {
    return {data_ + offset, length};
  }

 private:
  void grow_small(std::size_t capacity);

  std::byte* data_ = nullptr;
  std::size_t capacity_ = 0;
  storage::PageBlock block_;                   ///< has the memory, unless it is small
  std::map<std::size_t, std::size_t> filled_;  ///< begin -> end, neither touching nor overlapping
};

}  // namespace sftpd::vfs
