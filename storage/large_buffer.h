#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>

#include "storage/page_block.h"
#include "storage/payload.h"

namespace storage {

/// Bytes that arrive piece by piece. Unlike a vector it writes each of them once, without zeros
/// before, and what is large lies in a PageBlock. Not thread-safe.
class LargeBuffer {
 public:
  LargeBuffer() = default;
  LargeBuffer(const LargeBuffer& other) { append(other.bytes()); }
  LargeBuffer(LargeBuffer&& other) noexcept { swap(other); }
  LargeBuffer& operator=(LargeBuffer other) noexcept {
    swap(other);
    return *this;
  }

  /// Throws std::bad_alloc.
  void reserve(std::size_t capacity);

  /// Makes room for `count` more bytes behind those that are there, for the caller to write.
  std::span<std::byte> extend(std::size_t count);
  /// Takes the last bytes away again.
  void shrink_to(std::size_t size);
  void append(std::span<const std::byte> more);

  std::span<const std::byte> bytes() const { return {data(), size_}; }
  const std::byte* data() const { return large_.size() > 0 ? large_.data() : small_.get(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  Payload to_payload() &&;

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  void swap(LargeBuffer& other) noexcept;

  std::unique_ptr<std::byte[], Free> small_;  ///< or
  PageBlock large_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace storage
