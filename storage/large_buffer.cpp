#include "storage/large_buffer.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace storage {

void LargeBuffer::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  if (capacity >= PageBlock::piece) {
    large_.grow(capacity);
    if (small_ && size_ > 0) std::memcpy(large_.data(), small_.get(), size_);
    small_ = nullptr;
    capacity_ = large_.size();
    return;
  }
  void* const grown = std::realloc(small_.get(), capacity);
  if (grown == nullptr) throw std::bad_alloc();
  (void)small_.release();
  small_.reset(static_cast<std::byte*>(grown));
  capacity_ = capacity;
}

std::span<std::byte> LargeBuffer::extend(std::size_t count) {
  if (count > capacity_ - size_) reserve(std::max(size_ + count, 2 * capacity_));
  std::byte* const begin = large_.size() > 0 ? large_.data() : small_.get();
  size_ += count;
  return {begin + (size_ - count), count};
}

void LargeBuffer::shrink_to(std::size_t size) { size_ = std::min(size, size_); }

void LargeBuffer::append(std::span<const std::byte> more) {
  if (!more.empty()) std::memcpy(extend(more.size()).data(), more.data(), more.size());
}

Payload LargeBuffer::to_payload() && {
  auto owner = std::make_shared<const LargeBuffer>(std::move(*this));
  const auto bytes = owner->bytes();
  return {std::move(owner), bytes};
}

void LargeBuffer::swap(LargeBuffer& other) noexcept {
  std::swap(small_, other.small_);
  std::swap(large_, other.large_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
}

}  // namespace storage
