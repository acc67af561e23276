#pragma once

#include <cstddef>

namespace storage {

/// Memory for a large buffer, in pieces of 2 MiB (huge pages where the system has them) that go
/// from one block to the next: fresh pages have to be zeroed first, which costs as much as
/// receiving what is then written over the zeros.
///
/// Up to 16 MiB are kept for later blocks; what a block held before is in its new bytes. A block is
/// used by one thread at a time; different ones by any.
class PageBlock {
 public:
  static constexpr std::size_t piece = std::size_t{2} << 20;
  static constexpr std::size_t spare_max = std::size_t{16} << 20;

  PageBlock() = default;
  ~PageBlock();
  PageBlock(PageBlock&& other) noexcept { swap(other); }
  PageBlock& operator=(PageBlock&& other) noexcept {
    swap(other);
    return *this;
  }

  /// Makes it at least `size` bytes long. What it holds stays, perhaps at another address. Throws
  /// std::bad_alloc; then it is as it was.
  void grow(std::size_t size);

  std::byte* data() const { return begin_; }
  std::size_t size() const { return size_; }

  /// Bytes kept for later blocks now.
  static std::size_t spare();

 private:
  void swap(PageBlock& other) noexcept;
  void move_to_room_for(std::size_t size);
  void append_piece();
  void forget_addresses_behind(std::size_t kept, std::size_t lost);

  std::byte* begin_ = nullptr;
  std::size_t size_ = 0;
  std::size_t room_ = 0;  ///< addresses that belong to it
};

}  // namespace storage
