#include "sftpd/sftp/inbox.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace sftpd::sftp {
namespace {

constexpr std::size_t length_field_bytes = 4;
/// Enough for a session that only looks around: a thousand of those should cost little.
constexpr std::size_t small_block_bytes = 16 * 1024;
/// Reading further ahead than the packet at hand saves calls for small packets, and costs a move of
/// what was read too much for large ones.
constexpr std::size_t read_ahead_bytes = 64 * 1024;
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t copied_packet_bytes_max = 16 * 1024;
constexpr int blocks_alive_max = 8;

std::uint32_t big_endian_u32(const std::byte* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = (value << 8) | std::to_integer<std::uint32_t>(bytes[i]);
  return value;
}

}  // namespace

struct Inbox::Block {
  Block(std::size_t size, std::shared_ptr<std::atomic<int>> counter)
      : capacity(size),
        bytes(std::make_unique_for_overwrite<std::byte[]>(size)),
        alive(std::move(counter)) {
    ++*alive;
  }
  ~Block() { --*alive; }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  /// Keeps the block, and keeps it from being written again. The counter, unlike use_count(),
  /// orders the reader's last look before our next write.
  struct Lease {
    explicit Lease(std::shared_ptr<Block> leased) : block(std::move(leased)) { ++block->leases; }
    ~Lease() { --block->leases; }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    std::shared_ptr<Block> block;
  };

  std::size_t capacity;
  std::unique_ptr<std::byte[]> bytes;
  std::atomic<int> leases = 0;
  std::shared_ptr<std::atomic<int>> alive;
};

Inbox::Inbox(std::uint32_t packet_length_max)
    : packet_length_max_(packet_length_max), blocks_alive_(std::make_shared<std::atomic<int>>(0)) {}

std::optional<storage::Payload> Inbox::next(ByteStream& stream) {
  while (true) {
    const auto length = packet_bytes();
    if (length && received() >= *length) return cut(*length);
    if (!read_more(stream, length.value_or(length_field_bytes))) return {};
  }
}

std::optional<std::size_t> Inbox::packet_bytes() const {
  if (received() < length_field_bytes) return {};
  const std::uint32_t length = big_endian_u32(block_->bytes.get() + begin_);
  if (length == 0) throw ProtocolViolation("a packet of no bytes");
  if (length > packet_length_max_) {
    throw ProtocolViolation("a packet of " + std::to_string(length) + " bytes");
  }
  return length_field_bytes + length;
}

bool Inbox::read_more(ByteStream& stream, std::size_t packet_needs) {
  make_room(packet_needs);
  const std::size_t missing = packet_needs - received();
  const std::size_t room = block_->capacity - end_;
  const std::size_t wanted = std::min(room, std::max(missing, read_ahead_bytes));
  const std::size_t count = stream.read({block_->bytes.get() + end_, wanted});
  end_ += count;
  received_since_settled_ += count;
  filled_ = count == wanted;
  return count != 0;
}

void Inbox::make_room(std::size_t bytes) {
  const bool untouched = block_ && block_->leases == 0;
  if (untouched && begin_ == end_) begin_ = end_ = 0;
  const bool fits = block_ && begin_ + bytes <= block_->capacity && end_ < block_->capacity;
  const bool may_grow = block_ && filled_ && block_->capacity == small_block_bytes;
  if (fits && !(may_grow && begin_ == end_)) return;
  if (untouched && !may_grow && bytes <= block_->capacity) {
    std::memmove(block_->bytes.get(), block_->bytes.get() + begin_, received());
  } else {
    // As the client's packets are: hundreds of uploads have one of these each.
    longest_packet_ = std::max(longest_packet_, bytes);
    const std::size_t large =
        (longest_packet_ + read_ahead_bytes + page_bytes - 1) / page_bytes * page_bytes;
    const bool small_will_do = bytes <= small_block_bytes && !filled_;
    auto block = std::make_shared<Block>(small_will_do ? small_block_bytes : large, blocks_alive_);
    if (received() != 0) {
      std::memcpy(block->bytes.get(), block_->bytes.get() + begin_, received());
    }
    block_ = std::move(block);
  }
  end_ = received();
  begin_ = 0;
}

storage::Payload Inbox::cut(std::size_t length) {
  const std::span<const std::byte> packet(block_->bytes.get() + begin_ + length_field_bytes,
                                          length - length_field_bytes);
  begin_ += length;
  if (packet.size() <= copied_packet_bytes_max || *blocks_alive_ > blocks_alive_max) {
    return storage::Payload(std::vector<std::byte>(packet.begin(), packet.end()));
  }
  return {std::make_shared<Block::Lease>(block_), packet};
}

void Inbox::settle() {
  if (begin_ == end_ && received_since_settled_ < small_block_bytes) {
    block_ = nullptr;
    begin_ = end_ = 0;
    filled_ = false;
  }
  received_since_settled_ = 0;
}

}  // namespace sftpd::sftp
