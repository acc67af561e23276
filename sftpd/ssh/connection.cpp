#include "sftpd/ssh/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <exception>
#include <stdexcept>
#include <utility>

#include "sftpd/log/log.h"

namespace sftpd::ssh {
namespace {

using std::chrono::milliseconds;

/// Bytes given to libssh without the socket taking any: more would pile up in its queue while keys
/// are exchanged, which nothing else shows.
constexpr std::size_t unsent_max = std::size_t{512} << 10;
/// What a channel may send before the next one's turn.
constexpr std::size_t send_turn = std::size_t{256} << 10;
/// The loop looks at its clocks at least so often.
constexpr milliseconds turn_max{5000};

constexpr const char* by_client = "closed by the client";
/// Of what libssh says about an end, in which words of the client may stand.
constexpr std::size_t detail_length_max = 256;

/// Since 0.11 libssh opens every window to 2 MiB, and never further, whatever a read asks for.
bool library_sets_windows() { return ssh_version(SSH_VERSION_INT(0, 11, 0)) != nullptr; }

int lower_flag(socket_t, int, void* wake) noexcept {
  static_cast<Wake*>(wake)->lower();
  return 0;
}

}  // namespace

Connection::Connection(Shared& shared, Admission::Ticket ticket, FileDescriptor socket,
                       std::uint64_t id, std::string peer_address)
    : shared_(shared),
      options_(shared.options),
      ticket_(std::move(ticket)),
      socket_(std::move(socket)),
      waiting_(shared.waiting_room),
      silence_(options_.keepalive_interval, options_.keepalives_unanswered_max),
      idle_(options_.idle_timeout) {
  info_.connection_id = id;
  info_.peer_address = std::move(peer_address);
  const std::size_t base = options_.window_base_bytes;
  window_limits_ = {
      .base_bytes = base,
      .max_bytes = library_sets_windows() ? base : std::max(options_.window_max_bytes, base),
      .reserve = options_.reserve_memory,
      .release = options_.release_memory,
      .round_trip = [this] { return measured_round_trip(); }};
  starter_ = [this](const ChannelRequest& request, ByteStream& stream) {
    round_trip_.answered(Clock::now());
    return options_.program_factory(*login_phase_->login(), info_, request, stream);
  };
}

Connection::~Connection() = default;

void Connection::stop() noexcept {
  stopping_.store(true);
  wake_->raise();
}

void Connection::run() noexcept {
  log::info("connection opened", {{"conn", info_.connection_id}, {"address", info_.peer_address}});
  if (options_.observer != nullptr) options_.observer->connection_opened();
  try {
    serve();
  } catch (const std::exception& failure) {
    log::error("connection failed", {{"conn", info_.connection_id}, {"reason", failure.what()}});
    end("failed");
  }
  close_down();
}

void Connection::serve() {
  start_session();
  if (!log_in()) return;
  ticket_.logged_in();
  work();
}

void Connection::start_session() {
  session_.reset(ssh_new());
  event_.reset(ssh_event_new());
  if (!session_ || !event_) throw std::bad_alloc();
  ssh_set_blocking(session_.get(), 0);
  set_limits_of_session();
  {
    std::lock_guard lock(shared_.bind_mutex);
    const int accepted = ssh_bind_accept_fd(shared_.bind.get(), session_.get(), socket_.number());
    // From the moment it knows the descriptor, the session closes it.
    if (ssh_get_fd(session_.get()) == socket_.number()) socket_.release();
    if (accepted != SSH_OK) throw std::runtime_error(ssh_get_error(shared_.bind.get()));
  }
  ssh_set_counters(session_.get(), &socket_counter_, &packet_counter_);
  login_phase_ = std::make_unique<LoginPhase>(
      session_.get(), options_, info_, round_trip_, shared_.authenticator,
      [this](storage::Future<auth::LoginResult> answer) { return await(std::move(answer)); },
      [this] { return open_channel(); });
}

void Connection::set_limits_of_session() {
  const char* none = "none";
  ssh_options_set(session_.get(), SSH_OPTIONS_COMPRESSION_C_S, none);
  ssh_options_set(session_.get(), SSH_OPTIONS_COMPRESSION_S_C, none);
}

// Until somebody has logged in.

bool Connection::log_in() {
  // Not waiting, it only sends our banner; the rest of the key exchange happens in the polls.
  if (ssh_handle_key_exchange(session_.get()) == SSH_ERROR) return false;
  if (ssh_event_add_session(event_.get(), session_.get()) != SSH_OK ||
      ssh_event_add_fd(event_.get(), wake_->descriptor(), POLLIN, lower_flag, wake_.get()) !=
          SSH_OK) {
    throw std::bad_alloc();
  }
  const Clock::time_point deadline = opened_ + options_.login_deadline;
  while (!login_phase_->login() && end_reason_ == nullptr) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (left <= milliseconds{0}) {
      end("no login in time");
      break;
    }
    const auto turn = unanswered_.is_running() ? std::min(left, UnansweredClock::patience) : left;
    if (!poll(static_cast<int>(std::min(turn, turn_max).count()))) break;
    if (login_phase_->login()) break;
    if (login_phase_->tries_used_up()) end("too many tries");
    watch_for_unanswered();
  }
  return login_phase_->login().has_value() && end_reason_ == nullptr;
}

void Connection::watch_for_unanswered() {
  const UnansweredClock::Counts counts{.bytes_in = packet_counter_.in_bytes,
                                       .packets_out = packet_counter_.out_packets,
                                       .requests = login_phase_->requests()};
  if (!unanswered_.look(counts, login_phase_->begun(), Clock::now())) return;
  login_phase_->refuse_unusable_key();
  end("unusable key or signature");
}

auth::LoginResult Connection::await(storage::Future<auth::LoginResult> answer) {
  answer.on_ready([wake = wake_] { wake->raise(); });
  const Clock::time_point deadline = opened_ + options_.login_deadline;
  while (!answer.ready()) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (stopping_.load() || left <= milliseconds{0}) {
      return {.login = std::nullopt, .refusal = auth::Refusal::unavailable};
    }
    wake_->wait(static_cast<int>(std::min(left, turn_max).count()));
    wake_->lower();
  }
  return answer.get();
}

// Once logged in.

ssh_channel Connection::open_channel() {
  round_trip_.answered(Clock::now());
  if (channels_.size() + opened_channels_.size() >=
      static_cast<std::size_t>(options_.channels_max)) {
    log::warning("channel refused",
                 {{"conn", info_.connection_id}, {"reason", "too many channels"}});
    return nullptr;
  }
  ssh_channel made = ssh_channel_new(session_.get());
  if (made == nullptr) return nullptr;
  opened_channels_.push_back(std::make_unique<Channel>(
      made, ChannelId{info_.connection_id, ++channels_opened_}, wake_, window_limits_, starter_));
  limit(*opened_channels_.back());
  const auto now = Clock::now();
  idle_.restart(now);
  round_trip_.asked(now);
  return made;
}

void Connection::limit(Channel& channel) {
  if (options_.bandwidth == nullptr) return;
  if (!traffic_) {
    const auth::Login& login = *login_phase_->login();
    traffic_ = options_.bandwidth->enter(login.user, login.rates);
  }
  channel.limit(*options_.bandwidth, traffic_);
}

void Connection::work() {
  silence_.restart(Clock::now());
  idle_.restart(Clock::now());
  while (end_reason_ == nullptr && alive()) {
    const bool more = work_once();
    if (stopping_.load()) return end("server stops");
    look_at_clocks();
    if (end_reason_ != nullptr) return;
    if (!more && has_to_wait_for_programs() && wait_for_programs()) continue;
    if (!poll(more ? 0 : poll_timeout())) return;
  }
}

/// One turn: programs work, output leaves. True if there is more to do without waiting.
bool Connection::work_once() {
  std::move(opened_channels_.begin(), opened_channels_.end(), std::back_inserter(channels_));
  opened_channels_.clear();
  const bool to_step = step_channels();
  const bool to_send = send_output();
  drop_closed_channels();
  tell_bytes();
  return to_step || to_send || !opened_channels_.empty();
}

bool Connection::step_channels() {
  for (const auto& channel : channels_) {
    if (channel->needs_step()) channel->step();
    if (channel->is_flooded()) end("sends more than its window");
  }
  return std::any_of(channels_.begin(), channels_.end(),
                     [](const auto& channel) { return channel->needs_step(); });
}

/// Gives libssh what it can take now, the channels in turn. True if some of it was taken and there
/// is more: a channel whose output has sunk wants to be stepped before the next poll.
bool Connection::send_output() {
  if (channels_.empty()) return false;
  if (socket_counter_.out_bytes != output_seen_) {
    output_seen_ = socket_counter_.out_bytes;
    send_budget_ = unsent_max;
  }
  first_to_send_ = (first_to_send_ + 1) % channels_.size();
  bool any = true;
  while (any) {
    any = false;
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      Channel& channel = *channels_[(first_to_send_ + i) % channels_.size()];
      if (!channel.has_output()) continue;
      if (send_budget_ == 0 || (ssh_get_status(session_.get()) & SSH_WRITE_PENDING) != 0) break;
      const std::size_t sent = channel.send(std::min(send_turn, send_budget_));
      send_budget_ -= std::min(send_budget_, sent);
      any = any || sent > 0;
    }
  }
  return std::any_of(channels_.begin(), channels_.end(),
                     [](const auto& channel) { return channel->needs_step(); });
}

void Connection::drop_closed_channels() {
  // Freeing one may poll and so open another one: that one waits in opened_channels_.
  std::erase_if(channels_, [](const auto& channel) { return channel->is_over(); });
}

/// What programs have no use for yet, and there is no room for, is left in the socket: libssh would
/// keep all of each channel's window. But output needs it, to hear that the client has room; and
/// while the store is away for a minute, clients ask for signs of life.
bool Connection::has_to_wait_for_programs() {
  std::size_t now = 0;
  std::size_t most = 0;
  bool output = (ssh_get_status(session_.get()) & SSH_WRITE_PENDING) != 0;
  for (const auto& channel : channels_) {
    now += channel->waiting_bytes();
    most += channel->most_waiting_bytes();
    output = output || channel->has_output();
  }
  if (waiting_.fit(now, most) || output) {
    unheard_since_ = {};
    return false;
  }
  const std::uint64_t moved = bytes_moved();
  if (unheard_since_ == Clock::time_point{} || moved != moved_when_unheard_) {
    unheard_since_ = Clock::now();
    moved_when_unheard_ = moved;
  }
  return Clock::now() - unheard_since_ < options_.unheard_max;
}

/// Without reading from the socket. False if the client has gone: what it sent is still there.
bool Connection::wait_for_programs() {
  std::array<pollfd, 2> waited{
      {{wake_->descriptor(), POLLIN, 0}, {ssh_get_fd(session_.get()), POLLRDHUP, 0}}};
  const auto turn = std::min<std::int64_t>(poll_timeout(), options_.unheard_max.count());
  ::poll(waited.data(), waited.size(), static_cast<int>(turn));
  silence_.restart(Clock::now());  // It may well speak: nobody listens.
  if (waited[0].revents != 0) wake_->lower();
  return waited[1].revents == 0;
}

// Clocks.

int Connection::poll_timeout() const {
  milliseconds turn = turn_max;
  if (options_.keepalive_interval > milliseconds{0}) {
    turn = std::min(turn, options_.keepalive_interval);
  }
  if (options_.idle_timeout > milliseconds{0}) turn = std::min(turn, options_.idle_timeout);
  return static_cast<int>(std::max(turn, milliseconds{10}).count());
}

void Connection::look_at_clocks() {
  const auto now = Clock::now();
  const auto silence = silence_.look(socket_counter_.in_bytes, now);
  if (silence == SilenceClock::Verdict::gone) end("no sign of life");
  if (silence == SilenceClock::Verdict::to_ask) ssh_send_keepalive(session_.get());
  const bool held_back = std::any_of(channels_.begin(), channels_.end(),
                                     [](const auto& channel) { return channel->is_held_back(); });
  if (idle_.look(bytes_moved(), held_back, now)) end("idle");
}

std::uint64_t Connection::bytes_moved() const {
  std::uint64_t moved = 0;
  for (const auto& channel : channels_) moved += channel->bytes_moved();
  return moved;
}

std::chrono::microseconds Connection::measured_round_trip() const {
  tcp_info tcp{};
  socklen_t length = sizeof tcp;
  if (::getsockopt(ssh_get_fd(session_.get()), IPPROTO_TCP, TCP_INFO, &tcp, &length) != 0) {
    return round_trip_.value();
  }
  return std::max(round_trip_.value(), std::chrono::microseconds{tcp.tcpi_rtt});
}

// The session.

/// Waits for the client or a wake. False if the connection is over.
bool Connection::poll(int timeout_ms) {
  const int polled = ssh_event_dopoll(event_.get(), timeout_ms);
  if (stopping_.load()) {
    end("server stops");
    return false;
  }
  return polled != SSH_ERROR && alive();
}

bool Connection::alive() const {
  return ssh_is_connected(session_.get()) != 0 &&
         (ssh_get_status(session_.get()) & (SSH_CLOSED | SSH_CLOSED_ERROR)) == 0;
}

void Connection::end(const char* reason) {
  if (end_reason_ == nullptr) end_reason_ = reason;
}

/// Why it is over: we ended it, or the client did, or libssh, which then says why.
Connection::Ending Connection::how_it_ended() const {
  if (end_reason_ != nullptr) return {end_reason_, ""};
  if (!session_ || ssh_get_error_code(session_.get()) != SSH_FATAL) return {by_client, ""};
  const std::string_view text =
      std::string_view(ssh_get_error(session_.get())).substr(0, detail_length_max);
  if (text == "Socket error: disconnected") return {by_client, ""};
  const char* reason = text.starts_with("Received SSH_MSG_DISCONNECT") ? by_client
                       : text.starts_with("Socket error")              ? "connection lost"
                       : login_phase_ && login_phase_->begun()         ? "protocol error"
                                                                       : "handshake failed";
  return {reason, std::string(text)};
}

void Connection::tell_bytes() {
  if (options_.observer == nullptr) return;
  const std::uint64_t in = socket_counter_.in_bytes - bytes_in_told_;
  const std::uint64_t out = socket_counter_.out_bytes - bytes_out_told_;
  if (in == 0 && out == 0) return;
  bytes_in_told_ += in;
  bytes_out_told_ += out;
  options_.observer->bytes_moved(in, out);
}

void Connection::close_down() {
  // Programs first: they must not outlive what they write to, and end what they began at once.
  for (const auto& channel : channels_) channel->abandon();
  for (const auto& channel : opened_channels_) channel->abandon();
  channels_.clear();
  opened_channels_.clear();
  const std::string user = login_phase_ && login_phase_->login() ? login_phase_->login()->name : "";
  const auto [reason, detail] = how_it_ended();
  if (login_phase_) login_phase_->finish();
  if (session_ && end_reason_ != nullptr && alive()) {
    ssh_session_set_disconnect_message(session_.get(), reason);
    ssh_disconnect(session_.get());
  }
  // ssh_event_free() forgets what ssh_event_add_fd() allocated for a descriptor.
  if (event_) ssh_event_remove_fd(event_.get(), wake_->descriptor());
  event_.reset();
  session_.reset();
  const std::chrono::duration<double> lasted = Clock::now() - opened_;
  log::info("connection closed", {{"conn", info_.connection_id},
                                  {"user", user},
                                  {"address", info_.peer_address},
                                  {"seconds", lasted.count()},
                                  {"in", socket_counter_.in_bytes},
                                  {"out", socket_counter_.out_bytes},
                                  {"reason", reason},
                                  {"detail", detail}});
  tell_bytes();
  if (options_.observer == nullptr) return;
  if (login_phase_ && login_phase_->login()) options_.observer->logged_out();
  options_.observer->connection_closed();
}

}  // namespace sftpd::ssh
