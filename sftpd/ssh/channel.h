#pragma once

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sftpd/byte_stream.h"
#include "sftpd/limits/bandwidth.h"
#include "sftpd/ssh/output_queue.h"
#include "sftpd/ssh/receive_window.h"
#include "sftpd/ssh/server.h"
#include "sftpd/ssh/wake.h"

namespace sftpd::ssh {

/// One SSH channel and the program on it. Belongs to its connection's thread.
///
/// libssh's callbacks only take notes here: writing from inside them deadlocks. The connection
/// calls step() and send() from its loop.
class Channel final : public ByteStream {
 public:
  /// Makes the program for a request, or null.
  using Starter =
      std::function<std::unique_ptr<ChannelProgram>(const ChannelRequest&, ByteStream&)>;

  /// All given must outlive it, except `wake`, which wakers share.
  Channel(ssh_channel channel, ChannelId id, std::shared_ptr<Wake> wake,
          const ReceiveWindow::Limits& window, const Starter& starter);
  /// Ends the program first, then the channel.
  ~Channel() override;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// From now on bytes move only as fast as this allows.
  void limit(limits::Bandwidth& bandwidth, limits::UserTrafficPtr user);

  // ByteStream
  std::size_t read(std::span<std::byte> into) override;
  bool at_eof() const override;
  void write(std::span<const std::byte> bytes) override;
  void write_error(std::span<const std::byte> bytes) override;
  std::size_t queued_bytes() const override { return queue_.size(); }
  std::function<void()> waker() override;

  /// Whether step() has something to do.
  bool needs_step() const;
  /// Lets the program work, and ends it when it has finished or its client is gone.
  void step();

  /// Gives libssh up to `size_max` queued bytes, never more than the client's window has room for.
  /// Returns how many; sends exit status and CLOSE behind the last one.
  std::size_t send(std::size_t size_max);
  bool has_output() const { return !queue_.empty() || state_ == State::finished; }

  /// Both sides have closed it: it may be destroyed.
  bool is_over() const { return closed_by_client_ && state_ == State::closed; }
  bool is_busy() const { return state_ == State::running || state_ == State::finished; }
  /// The client sent more than it was allowed to: the connection must end.
  bool is_flooded() const { return flooded_; }
  std::uint64_t bytes_moved() const { return bytes_moved_; }
  /// What has arrived and the program has not taken.
  std::size_t waiting_bytes() const {
    return state_ == State::running ? buffered_ + staged_bytes_ : 0;
  }
  /// The most of it so far: libssh keeps a buffer for so much until the channel ends.
  std::size_t most_waiting_bytes() const { return most_waiting_bytes_; }
  /// There are bytes that wait only for their turn.
  bool is_held_back() const { return flow_ && flow_->waits(); }

  /// Ends the program now; nothing more is sent. For a connection that is over, before libssh frees
  /// the channel.
  void abandon();

 private:
  enum class State {
    waiting,   ///< for a request
    running,   ///< the program runs
    finished,  ///< it ended: queued output, then exit status and CLOSE are to be sent
    closed,    ///< our CLOSE is sent, or needs not be
  };
  enum class Window { opens, stays };
  struct Callbacks;  // static, noexcept: libssh calls them

  int start(ChannelRequest::Kind kind, const char* text) noexcept;
  void refuse_shell() noexcept;
  int received(std::size_t buffered, bool is_stderr) noexcept;
  std::optional<int> step_program();
  void log_failure(const char* event, const std::exception& failure) const;
  void finish(int exit_status);
  void send_end();
  std::size_t receive(std::span<std::byte> into);
  std::size_t read_staged(std::span<std::byte> into);
  void stage();
  std::size_t pull(std::span<std::byte> into, Window window);

  ssh_channel channel_;
  const ChannelId id_;
  ssh_channel_callbacks_struct callbacks_{};
  std::shared_ptr<Wake> wake_;
  const Starter& starter_;
  State state_ = State::waiting;
  std::optional<int> exit_status_;

  ReceiveWindow window_;
  std::size_t buffered_ = 0;                   ///< bytes libssh holds for us
  std::deque<std::vector<std::byte>> staged_;  ///< read from libssh, not yet by the program
  std::size_t staged_taken_ = 0;               ///< of the first piece
  std::size_t staged_bytes_ = 0;               ///< not taken of all pieces
  std::size_t most_waiting_bytes_ = 0;
  OutputQueue queue_;
  std::size_t queued_at_step_ = 0;
  std::uint64_t bytes_moved_ = 0;
  std::unique_ptr<limits::Flow> flow_;  ///< null: without limits

  bool arrived_ = false;  ///< bytes, EOF or CLOSE since the last step
  std::shared_ptr<std::atomic<bool>> woken_ = std::make_shared<std::atomic<bool>>(false);
  bool eof_by_client_ = false;
  bool closed_by_client_ = false;
  bool flooded_ = false;
  bool failed_ = false;  ///< libssh refuses to write

  std::unique_ptr<ChannelProgram> program_;  // last: destroyed first
};

}  // namespace sftpd::ssh
