#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace sftpd {

/// A channel as the log names it, with `conn` and `channel`.
struct ChannelId {
  std::uint64_t connection = 0;
  std::uint32_t number = 0;  ///< in its connection, from 1
};

/// The two directions of one SSH channel, as a program running on it sees them.
///
/// Only the connection's thread calls it. Nothing here blocks.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  /// Moves up to `into.size()` received bytes out; 0 when none are there now. What is not read
  /// stays with the channel, whose window then closes: that is the back-pressure.
  virtual std::size_t read(std::span<std::byte> into) = 0;

  /// The client sent EOF or is gone, and read() has given out everything before it.
  virtual bool at_eof() const = 0;

  /// Queues bytes to the client; they leave as its window allows. Ignored once the client is gone.
  virtual void write(std::span<const std::byte> bytes) = 0;
  /// The same to its standard error.
  virtual void write_error(std::span<const std::byte> bytes) = 0;

  /// Bytes queued and not yet handed to the transport. A program that produces much stops above a
  /// limit of its own and is stepped again when the queue has drained.
  virtual std::size_t queued_bytes() const = 0;

  /// A function that makes the connection's thread call the program's step() soon. It may be
  /// called from any thread, often, and after the channel is gone.
  virtual std::function<void()> waker() = 0;
};

/// What runs on a channel: the SFTP subsystem, or a program of exec/.
///
/// Lives on the connection's thread. Destroying it (the client vanished) must end everything it
/// began without waiting for the network.
class ChannelProgram {
 public:
  virtual ~ChannelProgram() = default;

  /// Something changed: bytes or EOF arrived, queued output drained, or the waker was called. Does
  /// what can be done without waiting. Returns the exit status once finished, else nothing.
  virtual std::optional<int> step() = 0;
};

}  // namespace sftpd
