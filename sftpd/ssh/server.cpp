#include "sftpd/ssh/server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "sftpd/log/log.h"
#include "sftpd/ssh/admission.h"
#include "sftpd/ssh/algorithms.h"
#include "sftpd/ssh/connection.h"
#include "sftpd/ssh/listener.h"
#include "sftpd/ssh/wake.h"

namespace sftpd::ssh {
namespace {

/// When descriptors or memory run out, accepting again at once would only spin.
constexpr int pause_after_failure_ms = 100;
constexpr std::size_t banner_length_max = 200;

/// As inet_ntop prints it; IPv4 mapped into IPv6 as IPv4.
std::string text_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&address)->sin_addr, text,
              sizeof text);
    return text;
  }
  const auto& six = reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    inet_ntop(AF_INET, &six.s6_addr[12], text, sizeof text);
  } else {
    inet_ntop(AF_INET6, &six, text, sizeof text);
  }
  return text;
}

void set_option(ssh_bind bind, ssh_bind_options_e option, const void* value, const char* name) {
  if (ssh_bind_options_set(bind, option, value) != SSH_OK) {
    throw std::runtime_error(fmt::format("libssh refuses the {}: {}", name, ssh_get_error(bind)));
  }
}

void check_banner(const std::string& banner) {
  const bool printable =
      std::all_of(banner.begin(), banner.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (banner.empty() || banner.size() > banner_length_max || !printable) {
    throw std::runtime_error("the version banner has 1 to 200 printable ASCII characters");
  }
}

BindHandle make_bind(const ServerOptions& options) {
  check_banner(options.version_banner);
  BindHandle bind(ssh_bind_new());
  if (!bind) throw std::bad_alloc();
  const bool no = false;
  const int rsa_bits_min = 2048;
  set_option(bind.get(), SSH_BIND_OPTIONS_PROCESS_CONFIG, &no, "configuration switch");
  set_option(bind.get(), SSH_BIND_OPTIONS_RSA_MIN_SIZE, &rsa_bits_min, "RSA size");
  set_option(bind.get(), SSH_BIND_OPTIONS_BANNER, options.version_banner.c_str(), "banner");
  set_option(bind.get(), SSH_BIND_OPTIONS_KEY_EXCHANGE, algorithms::key_exchange, "key exchanges");
  set_option(bind.get(), SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, algorithms::host_keys, "host keys");
  set_option(bind.get(), SSH_BIND_OPTIONS_CIPHERS_C_S, algorithms::ciphers, "ciphers");
  set_option(bind.get(), SSH_BIND_OPTIONS_CIPHERS_S_C, algorithms::ciphers, "ciphers");
  set_option(bind.get(), SSH_BIND_OPTIONS_HMAC_C_S, algorithms::macs, "MACs");
  set_option(bind.get(), SSH_BIND_OPTIONS_HMAC_S_C, algorithms::macs, "MACs");
  set_option(bind.get(), SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, algorithms::user_keys,
             "users' key types");
  for (const HostKey& key : options.host_keys.keys()) {
    set_option(bind.get(), SSH_BIND_OPTIONS_HOSTKEY, key.file.c_str(), "host key");
  }
  return bind;
}

/// A half-dead peer is noticed by the kernel too: data unacknowledged for two minutes ends it.
void prepare_socket(int socket) {
  const int on = 1;
  const unsigned int unacknowledged_max_ms = 120'000;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_max_ms,
               sizeof unacknowledged_max_ms);
}

void tell_too_many(int socket) {
  constexpr char line[] = "Too many connections, try again later\r\n";  // RFC 4253, section 4.2
  [[maybe_unused]] const auto sent =
      ::send(socket, line, sizeof line - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, auth::Authenticator& authenticator)
      : shared_{std::move(options), authenticator, {}, {}},
        admission_({shared_.options.connections_max, shared_.options.unauthenticated_max,
                    shared_.options.unauthenticated_per_network_max}) {
    assert(shared_.options.program_factory);
    shared_.bind = make_bind(shared_.options);
  }
  ~Impl() { stop(); }

  void listen() {
    if (shared_.options.take_systemd_sockets) add_listeners(take_systemd_sockets());
    if (listeners_.empty()) {
      for (const std::string& address : shared_.options.listen) add_listeners(listen_on(address));
    }
    if (listeners_.empty()) throw std::runtime_error("there is no address to listen on");
  }

  void start() {
    if (listeners_.empty()) listen();
    accepting_ = std::thread([this] { accept_until_stopped(); });
  }

  const std::vector<std::uint16_t>& ports() const { return ports_; }
  int connections() const { return admission_.connections(); }

  void stop() {
    stopping_.store(true);
    wake_.raise();
    if (accepting_.joinable()) accepting_.join();
    listeners_.clear();
    {
      std::lock_guard lock(mutex_);
      for (auto& running : running_) running.connection->stop();
    }
    join_all();
  }

 private:
  /// A connection and its thread, joined by the accepting thread or by stop().
  struct Running {
    Impl* server = nullptr;
    std::unique_ptr<Connection> connection;
    pthread_t thread{};
    bool finished = false;
  };

  void add_listeners(std::vector<Listener> more) {
    if (more.empty()) return;
    ports_.push_back(more.front().port);
    for (Listener& listener : more) {
      log::info("listening", {{"address", listener.address}, {"port", listener.port}});
      listeners_.push_back(std::move(listener));
    }
  }

  void accept_until_stopped() {
    std::vector<pollfd> waiting;
    for (const Listener& listener : listeners_) {
      waiting.push_back({listener.socket.number(), POLLIN, 0});
    }
    waiting.push_back({wake_.descriptor(), POLLIN, 0});
    while (!stopping_.load()) {
      if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
      if (waiting.back().revents != 0) wake_.lower();
      join_finished();
      for (std::size_t i = 0; i + 1 < waiting.size(); ++i) {
        if (waiting[i].revents != 0) accept_from(waiting[i].fd);
      }
    }
  }

  void accept_from(int listening) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    FileDescriptor socket(::accept4(listening, reinterpret_cast<sockaddr*>(&address), &length,
                                    SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.number() < 0) {
      const int failure = errno;
      if (failure == EMFILE || failure == ENFILE || failure == ENOMEM || failure == ENOBUFS) {
        log::error("cannot accept", {{"reason", std::strerror(failure)}});
        wake_.wait(pause_after_failure_ms);
      }
      return;
    }
    admit(std::move(socket), text_of(address));
  }

  void admit(FileDescriptor socket, std::string address) {
    auto ticket = admission_.admit(address);
    if (!ticket) {
      log::warning("connection refused", {{"address", address}, {"reason", "too many"}});
      if (shared_.options.observer != nullptr) shared_.options.observer->connection_refused();
      tell_too_many(socket.number());
      return;
    }
    prepare_socket(socket.number());
    const std::uint64_t id = ++last_id_;
    try {
      launch(std::make_unique<Connection>(shared_, std::move(*ticket), std::move(socket), id,
                                          address));
    } catch (const std::exception& failure) {
      log::error("connection failed",
                 {{"conn", id}, {"address", address}, {"reason", failure.what()}});
    }
  }

  void launch(std::unique_ptr<Connection> connection) {
    std::lock_guard lock(mutex_);
    Running& running = running_.emplace_back();
    running.server = this;
    running.connection = std::move(connection);
    if (!start_thread(running)) {
      running_.pop_back();
      throw std::runtime_error("no thread left");
    }
  }

  /// Signals belong to the main thread.
  bool start_thread(Running& running) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (shared_.options.thread_stack_bytes > 0) {
      pthread_attr_setstacksize(&attributes, shared_.options.thread_stack_bytes);
    }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&running.thread, &attributes, run_thread, &running);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    return failure == 0;
  }

  static void* run_thread(void* argument) {
    auto& running = *static_cast<Running*>(argument);
    running.connection->run();
    Impl& server = *running.server;
    {
      std::lock_guard lock(server.mutex_);
      running.finished = true;
    }
    server.wake_.raise();
    return nullptr;
  }

  void join_finished() {
    std::list<Running> ended;
    {
      std::lock_guard lock(mutex_);
      for (auto at = running_.begin(); at != running_.end();) {
        const auto next = std::next(at);
        if (at->finished) ended.splice(ended.end(), running_, at);
        at = next;
      }
    }
    for (Running& running : ended) pthread_join(running.thread, nullptr);
  }

  /// The accepting thread has ended: the wake is ours.
  void join_all() {
    for (;;) {
      wake_.lower();
      join_finished();
      {
        std::lock_guard lock(mutex_);
        if (running_.empty()) return;
      }
      wake_.wait(-1);
    }
  }

  Shared shared_;
  Admission admission_;
  std::vector<Listener> listeners_;
  std::vector<std::uint16_t> ports_;
  Wake wake_;
  std::atomic<bool> stopping_{false};
  std::thread accepting_;
  std::uint64_t last_id_ = 0;
  std::mutex mutex_;
  std::list<Running> running_;
};

Server::Server(Options options, auth::Authenticator& authenticator)
    : impl_(std::make_unique<Impl>(std::move(options), authenticator)) {}
Server::~Server() = default;

void Server::listen() { impl_->listen(); }
void Server::start() { impl_->start(); }
std::vector<std::uint16_t> Server::ports() const { return impl_->ports(); }
void Server::stop() { impl_->stop(); }
int Server::connections() const { return impl_->connections(); }

}  // namespace sftpd::ssh
