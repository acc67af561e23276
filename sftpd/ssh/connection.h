#pragma once

#include <libssh/libssh.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sftpd/auth/authenticator.h"
#include "sftpd/ssh/admission.h"
#include "sftpd/ssh/channel.h"
#include "sftpd/ssh/clocks.h"
#include "sftpd/ssh/handles.h"
#include "sftpd/ssh/login_phase.h"
#include "sftpd/ssh/receive_window.h"
#include "sftpd/ssh/round_trip.h"
#include "sftpd/ssh/server.h"
#include "sftpd/ssh/waiting_room.h"
#include "sftpd/ssh/wake.h"

namespace sftpd::ssh {

/// What all connections of a server share.
struct Shared {
  ServerOptions options;
  auth::Authenticator& authenticator;
  BindHandle bind;
  std::mutex bind_mutex;  ///< libssh copies keys and options out of `bind`
  WaitingRoom waiting_room{options.waiting_bytes_max};
};

/// One client, from its first byte to its last. run() on its own thread; stop() from any.
class Connection {
 public:
  Connection(Shared& shared, Admission::Ticket ticket, FileDescriptor socket, std::uint64_t id,
             std::string peer_address);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Serves the client until it or the server ends it.
  void run() noexcept;
  void stop() noexcept;

 private:
  using Clock = std::chrono::steady_clock;

  void serve();
  void start_session();
  void set_limits_of_session();
  bool log_in();
  void watch_for_unanswered();
  void work();
  bool work_once();
  bool step_channels();
  bool send_output();
  void drop_closed_channels();
  ssh_channel open_channel();
  void limit(Channel& channel);

  bool poll(int timeout_ms);
  bool has_to_wait_for_programs();
  bool wait_for_programs();
  bool alive() const;
  int poll_timeout() const;
  std::uint64_t bytes_moved() const;
  void look_at_clocks();
  auth::LoginResult await(storage::Future<auth::LoginResult> answer);
  std::chrono::microseconds measured_round_trip() const;
  struct Ending {
    const char* reason;
    std::string detail;  ///< in libssh's words, and so perhaps the client's
  };
  Ending how_it_ended() const;
  void end(const char* reason);
  void tell_bytes();
  void close_down();

  Shared& shared_;
  const ServerOptions& options_;
  Admission::Ticket ticket_;
  FileDescriptor socket_;
  SessionInfo info_;
  const Clock::time_point opened_ = Clock::now();
  std::shared_ptr<Wake> wake_ = std::make_shared<Wake>();
  std::atomic<bool> stopping_{false};

  SessionHandle session_;
  EventHandle event_;
  std::unique_ptr<LoginPhase> login_phase_;
  ssh_counter_struct socket_counter_{};  ///< bytes of the socket
  ssh_counter_struct packet_counter_{};
  std::uint64_t bytes_in_told_ = 0;
  std::uint64_t bytes_out_told_ = 0;
  const char* end_reason_ = nullptr;

  RoundTrip round_trip_;
  ReceiveWindow::Limits window_limits_;
  Channel::Starter starter_;
  limits::UserTrafficPtr traffic_;  ///< from the first channel on, if there are limits
  std::vector<std::unique_ptr<Channel>>
      opened_channels_;                ///< by libssh's callback, since the last turn
  std::uint32_t channels_opened_ = 0;  ///< ever
  std::vector<std::unique_ptr<Channel>> channels_;
  WaitingRoom::Place waiting_;
  Clock::time_point unheard_since_{};
  std::uint64_t moved_when_unheard_ = 0;
  std::size_t first_to_send_ = 0;
  std::uint64_t output_seen_ = 0;  ///< socket_counter_.out_bytes when send_budget_ was filled
  std::size_t send_budget_ = 0;

  SilenceClock silence_;
  IdleClock idle_;
  UnansweredClock unanswered_;
};

}  // namespace sftpd::ssh
