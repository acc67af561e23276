#include "sftpd/vfs/writing/part_buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

namespace sftpd::vfs {

namespace {
constexpr std::size_t kib = 1024;
/// Up to here plain pages: most files are small, and 2 MiB for each of them would be much.
constexpr std::size_t small_max = 1024 * kib;
}  // namespace

PartBuffer::~PartBuffer() {
  if (data_ && block_.size() == 0) ::munmap(data_, capacity_);
}

PartBuffer::PartBuffer(PartBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)),
      block_(std::move(other.block_)),
      filled_(std::move(other.filled_)) {}

PartBuffer& PartBuffer::operator=(PartBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(capacity_, other.capacity_);
  std::swap(block_, other.block_);
  std::swap(filled_, other.filled_);
  return *this;
}

std::size_t PartBuffer::capacity_for(std::size_t size) {
  if (size <= 64 * kib) return 64 * kib;
  if (size <= 256 * kib) return 256 * kib;
  if (size <= small_max) return small_max;
  constexpr std::size_t piece = storage::PageBlock::piece;
  return (size + piece - 1) / piece * piece;
}

void PartBuffer::grow(std::size_t capacity) {
  if (capacity <= capacity_) return;
  if (capacity <= small_max) return grow_small(capacity);
  if (block_.size() == 0 && data_) {
    storage::PageBlock block;
    block.grow(capacity);
    std::memcpy(block.data(), data_, capacity_);
    ::munmap(data_, capacity_);
    block_ = std::move(block);
  } else {
    block_.grow(capacity);
  }
  data_ = block_.data();
  capacity_ = capacity;
}

void PartBuffer::grow_small(std::size_t capacity) {
  void* grown =
      data_ ? ::mremap(data_, capacity_, capacity, MREMAP_MAYMOVE)
            : ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (grown == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<std::byte*>(grown);
  capacity_ = capacity;
}

void PartBuffer::write(std::size_t offset, std::span<const std::byte> bytes) {
  assert(offset + bytes.size() <= capacity_);
  if (bytes.empty()) return;
  std::memcpy(data_ + offset, bytes.data(), bytes.size());
  std::size_t begin = offset;
  std::size_t end = offset + bytes.size();
  auto next = filled_.upper_bound(begin);
  if (next != filled_.begin()) {
    auto previous = std::prev(next);
    if (previous->second >= begin) {
      begin = previous->first;
      end = std::max(end, previous->second);
      next = filled_.erase(previous);
    }
  }
  while (next != filled_.end() && next->first <= end) {
    end = std::max(end, next->second);
    next = filled_.erase(next);
  }
  filled_.emplace(begin, end);
}

std::size_t PartBuffer::contiguous() const {
  if (filled_.empty() || filled_.begin()->first != 0) return 0;
  return filled_.begin()->second;
}

bool PartBuffer::has(std::size_t offset, std::size_t length) const {
  auto next = filled_.upper_bound(offset);
  if (next == filled_.begin()) return false;
  return std::prev(next)->second >= offset + length;
}

std::map<std::size_t, std::size_t> PartBuffer::behind_gap() const {
  std::map<std::size_t, std::size_t> pieces;
  for (const auto& [begin, end] : filled_) {
    if (begin != 0) pieces.emplace(begin, end - begin);
  }
  return pieces;
}

}  // namespace sftpd::vfs
