#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>

#include "sftpd/byte_stream.h"
#include "storage/payload.h"

namespace sftpd::sftp {

/// Bytes after which nothing the client sends can be understood: the session ends.
class ProtocolViolation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Cuts the packets out of what a channel received.
///
/// Large packets are handed out where they were received: while somebody keeps one, its block of
/// memory is not written again. Small ones, and all of them while many blocks are kept, are copies,
/// so that a few bytes never hold much memory. Lives on the connection's thread; the packets may go
/// anywhere.
class Inbox {
 public:
  explicit Inbox(std::uint32_t packet_length_max);

  /// The next packet without its length field, at least one byte; nothing while its end has not
  /// arrived. Throws ProtocolViolation if it is empty or longer than allowed.
  std::optional<storage::Payload> next(ByteStream& stream);

  /// Gives memory back after a quiet time; called at the end of each step.
  void settle();

 private:
  struct Block;

  std::size_t received() const { return end_ - begin_; }
  /// Length of the packet that begins at begin_, with its length field, if that is known.
  std::optional<std::size_t> packet_bytes() const;
  void make_room(std::size_t bytes);
  /// False if there was nothing to read.
  bool read_more(ByteStream& stream, std::size_t packet_needs);
  storage::Payload cut(std::size_t length);

  std::uint32_t packet_length_max_;
  std::shared_ptr<Block> block_;
  std::shared_ptr<std::atomic<int>> blocks_alive_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t longest_packet_ = 0;  ///< that a block was made for
  std::size_t received_since_settled_ = 0;
  bool filled_ = false;  ///< the last read took all the room it had
};

}  // namespace sftpd::sftp
