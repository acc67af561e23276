#include "sftpd/ssh/channel.h"

#include <libssh/server.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <string_view>
#include <utility>

#include "sftpd/log/log.h"

namespace sftpd::ssh {
namespace {

/// What libssh grants by itself, whatever we do (1.28 MB in 0.10, 2 MiB in 0.11), doubled, and room
/// for what was under way.
constexpr std::size_t window_slack = std::size_t{4} << 20;

/// A program is stepped again when its output has sunk below this.
constexpr std::size_t queue_low = std::size_t{256} << 10;

/// One write to libssh: a few packets.
constexpr std::size_t write_size_max = std::size_t{256} << 10;

/// What is staged is freed in such pieces as the program takes it.
constexpr std::size_t staged_piece_size = std::size_t{256} << 10;

constexpr std::size_t request_length_max = 32'768;

/// As sysexits(3) says: EX_SOFTWARE.
constexpr int exit_status_of_failure = 70;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

struct Channel::Callbacks {
  static Channel& self(void* userdata) { return *static_cast<Channel*>(userdata); }

  static int data(ssh_session, ssh_channel, void*, uint32_t length, int is_stderr,
                  void* userdata) noexcept {
    return self(userdata).received(length, is_stderr != 0);
  }
  static void eof(ssh_session, ssh_channel, void* userdata) noexcept {
    self(userdata).eof_by_client_ = true;
    self(userdata).arrived_ = true;
  }
  static void close(ssh_session, ssh_channel, void* userdata) noexcept {
    self(userdata).closed_by_client_ = true;
    self(userdata).eof_by_client_ = true;
    self(userdata).arrived_ = true;
  }
  static int exec(ssh_session, ssh_channel, const char* command, void* userdata) noexcept {
    return self(userdata).start(ChannelRequest::Kind::exec, command);
  }
  static int subsystem(ssh_session, ssh_channel, const char* name, void* userdata) noexcept {
    return self(userdata).start(ChannelRequest::Kind::subsystem, name);
  }
  static int shell(ssh_session, ssh_channel, void* userdata) noexcept {
    Channel& channel = self(userdata);
    if (channel.state_ != State::waiting) return 1;
    channel.refuse_shell();
    return 0;
  }
  static int pty(ssh_session, ssh_channel, const char*, int, int, int, int, void*) noexcept {
    return 1;
  }
  /// Accepted so that clients which insist go on; nothing reads them.
  static int env(ssh_session, ssh_channel, const char*, const char*, void*) noexcept { return 0; }
};

Channel::Channel(ssh_channel channel, ChannelId id, std::shared_ptr<Wake> wake,
                 const ReceiveWindow::Limits& window, const Starter& starter)
    : channel_(channel), id_(id), wake_(std::move(wake)), starter_(starter), window_(window) {
  callbacks_.userdata = this;
  callbacks_.channel_data_function = Callbacks::data;
  callbacks_.channel_eof_function = Callbacks::eof;
  callbacks_.channel_close_function = Callbacks::close;
  callbacks_.channel_exec_request_function = Callbacks::exec;
  callbacks_.channel_subsystem_request_function = Callbacks::subsystem;
  callbacks_.channel_shell_request_function = Callbacks::shell;
  callbacks_.channel_pty_request_function = Callbacks::pty;
  callbacks_.channel_env_request_function = Callbacks::env;
  ssh_callbacks_init(&callbacks_);
  ssh_set_channel_callbacks(channel_, &callbacks_);
}

Channel::~Channel() {
  abandon();
  ssh_remove_channel_callbacks(channel_, &callbacks_);
  ssh_channel_free(channel_);
}

void Channel::abandon() {
  program_.reset();
  flow_.reset();
  queue_.clear();
  if (state_ != State::closed) state_ = State::closed;
}

// What libssh tells.

int Channel::start(ChannelRequest::Kind kind, const char* text) noexcept try {
  if (state_ != State::waiting || text == nullptr) return 1;
  const std::string_view request(text);
  if (request.size() > request_length_max) return 1;
  program_ = starter_({kind, std::string(request), id_}, *this);
  if (!program_) return 1;
  state_ = State::running;
  arrived_ = true;
  return 0;
} catch (const std::exception& failure) {
  log_failure("program not started", failure);
  return 1;
}

void Channel::refuse_shell() noexcept try {
  write_error(bytes_of("This service allows sftp connections only.\r\n"));
  finish(1);
} catch (const std::exception&) {
  flooded_ = true;  // no memory for a sentence: end the connection
}

int Channel::received(std::size_t buffered, bool is_stderr) noexcept {
  // Nothing reads a client's error output, and after the end nothing reads at all.
  if (is_stderr || state_ == State::finished || state_ == State::closed) {
    return static_cast<int>(buffered);
  }
  buffered_ = buffered;
  most_waiting_bytes_ = std::max(most_waiting_bytes_, waiting_bytes());
  arrived_ = true;
  if (buffered > window_.size() + window_slack) flooded_ = true;
  return 0;  // It stays with libssh, which so keeps the window closed, until it is read.
}

void Channel::limit(limits::Bandwidth& bandwidth, limits::UserTrafficPtr user) {
  flow_ = std::make_unique<limits::Flow>(bandwidth, std::move(user), id_.connection, waker());
}

// The program's side.

std::size_t Channel::read(std::span<std::byte> into) {
  if (buffered_ == 0 && staged_.empty()) return 0;
  if (flow_) into = into.first(flow_->allow(limits::Direction::upload, into.size()));
  const std::size_t count = staged_.empty() ? receive(into) : read_staged(into);
  if (count > 0) {
    if (flow_) flow_->moved(limits::Direction::upload, count);
    bytes_moved_ += count;
    window_.consumed(count, ReceiveWindow::Clock::now());
  }
  return count;
}

std::size_t Channel::receive(std::span<std::byte> into) {
  if (buffered_ == 0 || into.empty()) return 0;
  if (into.size() >= buffered_) return pull(into, Window::opens);
  // Each read from libssh 0.10 may open the window to 1.28 MB again, however little is taken:
  // reading as the program does would let its buffer grow without end. So all is taken at once.
  stage();
  return read_staged(into);
}

std::size_t Channel::read_staged(std::span<std::byte> into) {
  if (staged_.empty()) return 0;
  const auto left = std::span(staged_.front()).subspan(staged_taken_);
  const std::size_t count = std::min(into.size(), left.size());
  std::memcpy(into.data(), left.data(), count);
  staged_taken_ += count;
  staged_bytes_ -= count;
  if (count == left.size()) {
    staged_.pop_front();
    staged_taken_ = 0;
  }
  return count;
}

void Channel::stage() {
  while (buffered_ > 0) {
    std::vector<std::byte> piece(std::min(buffered_, staged_piece_size));
    piece.resize(pull(piece, Window::stays));
    if (piece.empty()) return;
    staged_bytes_ += piece.size();
    staged_.push_back(std::move(piece));
  }
}

/// Moves what libssh holds to `into`. `Window::opens` wants room for all of it, and also lets the
/// client send up to the window's size: libssh 0.10 grants what a read asks for, and copies what it
/// has.
std::size_t Channel::pull(std::span<std::byte> into, Window window) {
  const int held = ssh_channel_poll(channel_, 0);
  buffered_ = held > 0 ? static_cast<std::size_t>(held) : 0;
  const bool opens = window == Window::opens;
  if (buffered_ == 0 || (opens && buffered_ > into.size())) return 0;
  const bool announce = opens && window_.due();
  const std::size_t count = announce ? std::max(window_.size(), into.size()) : into.size();
  const int taken =
      ssh_channel_read_timeout(channel_, into.data(), static_cast<std::uint32_t>(count), 0, 0);
  if (announce) window_.announced();
  if (taken <= 0) {
    buffered_ = 0;
    return 0;
  }
  buffered_ -= std::min(buffered_, static_cast<std::size_t>(taken));
  return static_cast<std::size_t>(taken);
}

bool Channel::at_eof() const { return eof_by_client_ && buffered_ == 0 && staged_.empty(); }

void Channel::write(std::span<const std::byte> bytes) {
  if (closed_by_client_ || failed_) return;
  queue_.push(OutputQueue::Stream::output, bytes);
}

void Channel::write_error(std::span<const std::byte> bytes) {
  if (closed_by_client_ || failed_) return;
  queue_.push(OutputQueue::Stream::error, bytes);
}

std::function<void()> Channel::waker() {
  return [wake = wake_, woken = woken_] {
    woken->store(true);
    wake->raise();
  };
}

// The connection's side.

bool Channel::needs_step() const {
  if (state_ == State::waiting) return closed_by_client_;
  if (state_ != State::running) return false;
  const bool drained = queue_.size() < queued_at_step_ && queue_.size() <= queue_low;
  return arrived_ || drained || woken_->load();
}

void Channel::step() {
  if (state_ == State::waiting) state_ = State::closed;
  if (state_ != State::running) return;
  arrived_ = false;
  woken_->store(false);
  if (closed_by_client_) queue_.clear();
  const std::optional<int> status = step_program();
  queued_at_step_ = queue_.size();
  if (status) {
    finish(*status);
  } else if (closed_by_client_ && at_eof()) {
    // It has seen all that came; nobody waits for more.
    abandon();
  }
}

std::optional<int> Channel::step_program() try {
  return program_->step();
} catch (const std::exception& failure) {
  log_failure("program failed", failure);
  return exit_status_of_failure;
}

void Channel::log_failure(const char* event, const std::exception& failure) const {
  log::error(event,
             {{"conn", id_.connection}, {"channel", id_.number}, {"reason", failure.what()}});
}

void Channel::finish(int exit_status) {
  program_.reset();
  exit_status_ = exit_status;
  state_ = State::finished;
}

std::size_t Channel::send(std::size_t size_max) {
  if (closed_by_client_ || failed_) queue_.clear();
  if (queue_.empty()) {
    if (state_ == State::finished) send_end();
    return 0;
  }
  const std::size_t room = ssh_channel_window_size(channel_);
  auto bytes = queue_.front(std::min({size_max, room, write_size_max}));
  if (flow_) bytes = bytes.first(flow_->allow(limits::Direction::download, bytes.size()));
  if (bytes.empty()) return 0;
  const auto size = static_cast<std::uint32_t>(bytes.size());
  const int sent = queue_.front_stream() == OutputQueue::Stream::output
                       ? ssh_channel_write(channel_, bytes.data(), size)
                       : ssh_channel_write_stderr(channel_, bytes.data(), size);
  if (sent < 0) {
    failed_ = true;
    return 0;
  }
  queue_.pop(static_cast<std::size_t>(sent));
  if (flow_) flow_->moved(limits::Direction::download, static_cast<std::size_t>(sent));
  bytes_moved_ += static_cast<std::uint64_t>(sent);
  if (queue_.empty() && state_ == State::finished) send_end();
  return static_cast<std::size_t>(sent);
}

void Channel::send_end() {
  state_ = State::closed;
  if (closed_by_client_) return;  // Destroying the channel answers its CLOSE.
  if (exit_status_) ssh_channel_request_send_exit_status(channel_, *exit_status_);
  // Two calls: while output is pending, the first answers SSH_AGAIN though it has sent EOF, and
  // libssh's close would then stop there.
  ssh_channel_send_eof(channel_);
  ssh_channel_close(channel_);
}

}  // namespace sftpd::ssh
