#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <span>
#include <vector>

namespace sftpd::ssh {

/// Bytes on their way to one channel, in order, for its output or its error output.
class OutputQueue {
 public:
  enum class Stream { output, error };

  void push(Stream stream, std::span<const std::byte> bytes) {
    size_ += bytes.size();
    // Small pieces share a buffer, and a header one with what follows it: what is pushed in one
    // breath should leave in one packet. A big one gets a buffer of its own size.
    if (!pieces_.empty() && pieces_.back().stream == stream) {
      auto& last = pieces_.back().bytes;
      const std::size_t together = last.size() + bytes.size();
      if (together <= last.capacity() || last.size() < piece_size_min / 4) {
        last.reserve(together);
        last.insert(last.end(), bytes.begin(), bytes.end());
        return;
      }
    }
    if (bytes.empty()) return;
    Piece piece{stream, {}};
    piece.bytes.reserve(std::max(bytes.size(), piece_size_min));
    piece.bytes.assign(bytes.begin(), bytes.end());
    pieces_.push_back(std::move(piece));
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  /// What leaves first, at most `size_max` bytes. The queue must not be empty.
  std::span<const std::byte> front(std::size_t size_max) const {
    return std::span(pieces_.front().bytes)
        .subspan(taken_)
        .first(std::min(size_max, pieces_.front().bytes.size() - taken_));
  }
  Stream front_stream() const { return pieces_.front().stream; }

  /// Forgets the first `count` bytes, at most those of front().
  void pop(std::size_t count) {
    size_ -= count;
    taken_ += count;
    if (taken_ < pieces_.front().bytes.size()) return;
    pieces_.pop_front();
    taken_ = 0;
  }

  void clear() {
    pieces_.clear();
    size_ = 0;
    taken_ = 0;
  }

 private:
  static constexpr std::size_t piece_size_min = 4096;
  struct Piece {
    Stream stream;
    std::vector<std::byte> bytes;
  };
  std::deque<Piece> pieces_;
  std::size_t size_ = 0;
  std::size_t taken_ = 0;  ///< of the first piece
};

}  // namespace sftpd::ssh
