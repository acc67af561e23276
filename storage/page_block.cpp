#include "storage/page_block.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>

namespace storage {
namespace {

/// Addresses cost nothing; with room for a part of an upload a block moves seldom.
constexpr std::size_t room_min = std::size_t{16} << 20;

/// Pieces that nobody uses.
class Spares {
 public:
  std::byte* take() {
    std::lock_guard lock(mutex_);
    return count_ == 0 ? nullptr : pieces_[--count_];
  }
  bool keep(std::byte* piece) {
    std::lock_guard lock(mutex_);
    if (count_ == pieces_.size()) return false;
    pieces_[count_++] = piece;
    return true;
  }
  std::size_t count() {
    std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::array<std::byte*, PageBlock::spare_max / PageBlock::piece> pieces_{};
  std::size_t count_ = 0;
};

/// Never destroyed: blocks may live as long as the process.
Spares& spares() {
  static auto* const all = new Spares;
  return *all;
}

void unmap(std::byte* begin, std::size_t size) noexcept {
  if (size > 0) (void)::munmap(begin, size);
}

/// Addresses for `size` bytes that begin at a multiple of a piece; nothing is there yet.
std::byte* aligned_addresses(std::size_t size) {
  void* found = ::mmap(nullptr, size + PageBlock::piece, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (found == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(found);
  const std::size_t behind = reinterpret_cast<std::uintptr_t>(begin) % PageBlock::piece;
  const std::size_t before = behind == 0 ? 0 : PageBlock::piece - behind;
  unmap(begin, before);
  unmap(begin + before + size, PageBlock::piece - before);
  return begin + before;
}

/// Moves the pages of a piece, not their bytes. With MREMAP_DONTUNMAP the addresses stay ours.
bool move_piece(std::byte* from, std::byte* to, int more_flags = 0) noexcept {
  return ::mremap(from, PageBlock::piece, PageBlock::piece,
                  MREMAP_MAYMOVE | MREMAP_FIXED | more_flags, to) != MAP_FAILED;
}

bool make_piece(std::byte* at) noexcept {
  if (::mmap(at, PageBlock::piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
             -1, 0) == MAP_FAILED) {
    return false;
  }
  (void)::madvise(at, PageBlock::piece, MADV_HUGEPAGE);  // A refusal changes nothing.
  return true;
}

}  // namespace

PageBlock::~PageBlock() {
  std::size_t kept = 0;
  while (kept < size_ && spares().keep(begin_ + kept)) kept += piece;
  unmap(begin_ + kept, room_ - kept);
}

void PageBlock::grow(std::size_t size) {
  if (size <= size_) return;
  const std::size_t rounded = (size + piece - 1) / piece * piece;
  if (rounded > room_) move_to_room_for(rounded);
  while (size_ < rounded) append_piece();
}

void PageBlock::move_to_room_for(std::size_t size) {
  PageBlock larger;
  larger.begin_ = aligned_addresses(std::max({size, 2 * room_, room_min}));
  larger.room_ = std::max({size, 2 * room_, room_min});
  for (std::size_t at = 0; at < size_; at += piece) {
    if (move_piece(begin_ + at, larger.begin_ + at, MREMAP_DONTUNMAP)) continue;
    for (std::size_t back = 0; back < at; back += piece) {
      (void)move_piece(larger.begin_ + back, begin_ + back);
    }
    larger.forget_addresses_behind(0, at + piece);
    throw std::bad_alloc();
  }
  larger.size_ = size_;
  unmap(begin_, room_);
  begin_ = nullptr;
  size_ = room_ = 0;
  swap(larger);
}

void PageBlock::append_piece() {
  std::byte* const target = begin_ + size_;
  std::byte* const spare = spares().take();
  const bool made = spare != nullptr ? move_piece(spare, target) : make_piece(target);
  if (!made) {
    if (spare != nullptr) unmap(spare, piece);
    forget_addresses_behind(size_, size_ + piece);
    throw std::bad_alloc();
  }
  size_ += piece;
}

/// After a call that failed: the kernel may have taken the addresses from `kept` to `lost` away
/// from us, and given them to somebody else.
void PageBlock::forget_addresses_behind(std::size_t kept, std::size_t lost) {
  unmap(begin_ + lost, room_ - lost);
  room_ = kept;
}

void PageBlock::swap(PageBlock& other) noexcept {
  std::swap(begin_, other.begin_);
  std::swap(size_, other.size_);
  std::swap(room_, other.room_);
}

std::size_t PageBlock::spare() { return spares().count() * piece; }

}  // namespace storage
