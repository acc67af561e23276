#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sftpd/auth/authenticator.h"
#include "sftpd/auth/login.h"
#include "sftpd/byte_stream.h"
#include "sftpd/limits/bandwidth.h"
#include "sftpd/ssh/host_keys.h"

namespace sftpd::ssh {

/// Which connection something belongs to.
struct SessionInfo {
  std::uint64_t connection_id = 0;
  std::string peer_address;    ///< numeric, without the port
  std::string client_version;  ///< what follows "SSH-2.0-": the client's word, not to be trusted
  /// This client puts SYMLINK's arguments in the draft's order (link, target) and not, as all
  /// others do, in OpenSSH's (target, link): it looked at our banner and did not find OpenSSH
  /// there.
  bool symlink_link_first = false;
};

/// What a client wants to run on a channel.
struct ChannelRequest {
  enum class Kind { subsystem, exec };
  Kind kind = Kind::subsystem;
  std::string text;  ///< the subsystem's name, or the command line as the client sent it
  ChannelId channel = {};
};

/// Makes what runs on a channel; null refuses the request. Called on the connection's thread. The
/// stream outlives the program.
using ProgramFactory = std::function<std::unique_ptr<ChannelProgram>(
    const auth::Login& login, const SessionInfo& session, const ChannelRequest& request,
    ByteStream& stream)>;

/// What happens, for metrics. Called from any thread; must neither throw nor block.
class ServerObserver {
 public:
  virtual ~ServerObserver() = default;
  virtual void connection_opened() {}
  virtual void connection_closed() {}
  /// On one connection, since the last call for it.
  virtual void bytes_moved(std::uint64_t /*in*/, std::uint64_t /*out*/) {}
  virtual void connection_refused() {}
  virtual void login_succeeded(const char* /*method*/) {}
  virtual void logged_out() {}  ///< once for each login that succeeded
  virtual void login_refused(const char* /*method*/, auth::Refusal /*reason*/) {}
};

struct ServerOptions {
  /// "host:port", "[ipv6]:port" or ":port" for all addresses; port 0 picks a free one. Sockets that
  /// systemd passes (LISTEN_FDS) are used instead, if `take_systemd_sockets` and there are any.
  std::vector<std::string> listen{"127.0.0.1:2022"};
  bool take_systemd_sockets = true;

  HostKeys host_keys;
  /// What follows "SSH-2.0-", at most 200 printable ASCII characters. Clients guess habits from it:
  /// see SessionInfo::symlink_link_first.
  std::string version_banner = "Shoebox_0.1";

  std::chrono::milliseconds login_deadline{60'000};
  std::chrono::milliseconds idle_timeout{0};  ///< without any channel or traffic; 0: never
  std::chrono::milliseconds keepalive_interval{30'000};  ///< 0: never
  int keepalives_unanswered_max = 4;                     ///< then the peer is taken for dead

  int connections_max = 4096;
  int unauthenticated_max = 128;             ///< more are closed at once
  int unauthenticated_per_network_max = 64;  ///< some clients open 32 connections at a time
  int channels_max = 64;                     ///< of one connection
  int password_tries_max = 6;
  int key_tries_max = 40;

  /// Bytes a client may send ahead on one channel: the base always, more as the rate demands and
  /// `reserve_memory` allows, up to the maximum. With libssh 0.11 it is 2 MiB (ADR 18).
  std::size_t window_base_bytes = std::size_t{1} << 20;
  std::size_t window_max_bytes = std::size_t{16} << 20;
  /// Asked for what goes above the base; null means yes. Called on connections' threads, must not
  /// wait.
  std::function<bool(std::size_t bytes)> reserve_memory;
  std::function<void(std::size_t bytes)> release_memory;
  /// Of all channels, received and not taken by their programs: see WaitingRoom.
  std::size_t waiting_bytes_max = std::size_t{32} << 20;
  /// A client whose bytes find no room there, and whose programs stand still, is heard again after
  /// so long: it may ask whether we are alive.
  std::chrono::milliseconds unheard_max{10'000};

  /// How fast the bytes of channels may move; null: as fast as they can. Must outlive the server.
  limits::Bandwidth* bandwidth = nullptr;

  std::size_t thread_stack_bytes = std::size_t{1} << 20;
  ProgramFactory program_factory;
  ServerObserver* observer = nullptr;  ///< must outlive the server
};

/// Accepts SSH connections and runs programs on their channels. libssh stops here.
///
/// One thread accepts; each connection has one thread which alone touches its session, its channels
/// and their programs. A connection's failure is its own.
class Server {
 public:
  using Options = ServerOptions;

  /// `authenticator` must outlive the server.
  Server(Options options, auth::Authenticator& authenticator);
  /// stop().
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens; clients that come wait until start(). Throws std::runtime_error (an address that
  /// cannot be bound). Once.
  void listen();
  /// Begins to accept; listens first if it does not yet.
  void start();

  /// The ports listened on, in the order of `listen`. Valid after listen().
  std::vector<std::uint16_t> ports() const;

  /// Closes the listening sockets, ends every connection (programs are destroyed first) and returns
  /// when all threads have ended. Not from a connection's thread.
  void stop();

  /// Connections that are there now.
  int connections() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sftpd::ssh
