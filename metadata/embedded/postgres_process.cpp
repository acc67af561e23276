#include "metadata/embedded/postgres_process.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "metadata/database.h"
#include "metadata/embedded/child_process.h"
#include "metadata/embedded/cluster_files.h"
#include "metadata/embedded/postgres_binaries.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds fast_shutdown{4};
constexpr seconds immediate_shutdown{4};
constexpr off_t log_size_max = 10 << 20;

/// Asks until the answer is yes; false after `limit`.
bool wait_until(seconds limit, const std::function<bool()>& answer) {
  const auto end = steady_clock::now() + limit;
  while (!answer()) {
    if (steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return true;
}

/// A descriptor that closes itself and is not inherited.
class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(const std::string& path, int flags)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, 0600)) {
    if (fd_ < 0) {
      throw Error(ErrorCode::invalid, "cannot open " + path + ": " + strerror(errno));
    }
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

/// The last lines of the log, for an error's message.
std::string tail_of(const std::string& path) {
  constexpr std::size_t tail_max = 1500;
  std::string text = read_file(path);
  if (text.size() > tail_max) text.erase(0, text.find('\n', text.size() - tail_max) + 1);
  return text;
}

std::string own_name() {
  const passwd* user = getpwuid(geteuid());
  return user == nullptr ? "root" : user->pw_name;
}

/// A value of libpq's connection string.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    result += c;
  }
  return result + "'";
}

std::string url_of(const std::string& socket_directory, const std::string& database) {
  return "host=" + quoted(socket_directory) + " port=5432 user=shoebox dbname=" + database;
}

constexpr Statement database_exists{"embedded_database_exists",
                                    "SELECT 1 FROM pg_database WHERE datname = 'shoebox'"};

void create_database(const std::string& socket_directory) {
  Database::Options options;
  options.url = url_of(socket_directory, "postgres");
  options.connections_max = 1;
  Database database(options);
  database.query([](Transaction& tx) {
    if (tx.inner().run(database_exists).empty()) tx.inner().script("CREATE DATABASE shoebox");
    return true;
  });
}

void signal_all(const std::vector<pid_t>& pids, int number) {
  for (const pid_t pid : pids) kill(pid, number);
}

/// Ends what a killed process left running in `data`. The server notices by itself that its parent
/// died (PR_SET_PDEATHSIG) and shuts down; the rest is for when it does not.
void stop_leftovers(const std::string& data) {
  const auto nothing_left = [&] { return processes_in(data).empty(); };
  if (nothing_left()) return;
  if (const auto file = read_postmaster_file(data)) {
    const auto pids = processes_in(data);
    if (std::find(pids.begin(), pids.end(), file->pid) != pids.end()) kill(file->pid, SIGINT);
  }
  if (wait_until(fast_shutdown, nothing_left)) return;
  signal_all(processes_in(data), SIGQUIT);
  if (wait_until(immediate_shutdown, nothing_left)) return;
  signal_all(processes_in(data), SIGKILL);
  if (wait_until(immediate_shutdown, nothing_left)) return;
  throw Error(ErrorCode::unavailable, "an old PostgreSQL still runs in " + data);
}

/// After that: PostgreSQL itself deals with a pid file whose process is dead, but not with one
/// whose number now belongs to a stranger.
void remove_misleading_pid_file(const std::string& data) {
  const auto file = read_postmaster_file(data);
  if (file && (kill(file->pid, 0) == 0 || errno == EPERM)) {
    std::error_code ignored;
    fs::remove(data + "/postmaster.pid", ignored);
  }
}

}  // namespace

class EmbeddedPostgres::Server {
 public:
  explicit Server(Options options) : options_(std::move(options)) {
    options_.directory = fs::absolute(options_.directory).lexically_normal().string();
    while (options_.directory.size() > 1 && options_.directory.back() == '/') {
      options_.directory.pop_back();
    }
  }
  ~Server() { stop(); }

  void start();
  void stop();
  std::string url() const { return url_of(socket_directory_, "shoebox"); }
  bool is_running() const;
  int pid() const { return is_running() ? child_ : 0; }

 private:
  std::string data() const { return options_.directory + "/data"; }
  std::string log_path() const { return options_.directory + "/postgresql.log"; }

  std::string as_server_sees(const std::string& path) const;

  bool take_lock();
  bool use_foreign_server();
  void start_own_server();
  void make_directory(const Identity& identity);
  void make_cluster(const PostgresBinaries& binaries, const Identity& identity) const;
  void write_settings(const Identity& identity) const;
  Descriptor open_log() const;
  void run(const PostgresBinaries& binaries, const Identity& identity);
  void keep(const std::vector<std::string>& command, const Identity& identity, int output);
  void wait_until_ready();
  void end_child();
  bool ended_within(seconds limit);

  Options options_;
  Descriptor lock_;
  Descriptor folder_;    // options_.directory, for the server
  bool hidden_ = false;  // the server's user may not enter a folder above it
  std::string socket_directory_;
  Identity identity_;

  // The keeper thread starts the server and waits for its end: the kernel tells the server when the
  // thread that started it is gone, so that thread must live as long as we do.
  std::thread keeper_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  pid_t child_ = 0;      // under mutex_
  bool ended_ = true;    // under mutex_
  std::string trouble_;  // under mutex_: why there is no child
};

bool EmbeddedPostgres::Server::is_running() const {
  const std::lock_guard guard(mutex_);
  return child_ > 0 && !ended_;
}

void EmbeddedPostgres::Server::start() {
  if (is_running()) return;
  stop();
  std::error_code ignored;
  fs::create_directory(options_.directory, ignored);
  bool foreign = false;
  // Another process may be about to start the server, or to end.
  const bool decided = wait_until(options_.start_timeout,
                                  [&] { return take_lock() || (foreign = use_foreign_server()); });
  if (!decided) {
    throw Error(ErrorCode::unavailable, "another process holds " + options_.directory +
                                            ", but its PostgreSQL does not answer");
  }
  if (foreign) return;
  try {
    start_own_server();
  } catch (...) {
    stop();
    throw;
  }
}

/// The lock file says that a living process runs this directory's server.
bool EmbeddedPostgres::Server::take_lock() {
  Descriptor file(options_.directory + "/lock", O_RDWR | O_CREAT);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) return false;
  lock_ = std::move(file);
  return true;
}

bool EmbeddedPostgres::Server::use_foreign_server() {
  const auto file = read_postmaster_file(data());
  if (!file || !file->ready || file->socket_directory.empty()) return false;
  socket_directory_ = file->socket_directory;
  if (socket_directory_.starts_with(passed_folder)) {
    socket_directory_.replace(0, std::strlen(passed_folder), options_.directory);
  }
  return true;
}

/// PostgreSQL changes into its data directory by its whole path. Root's own folders, /root above
/// all, are closed to its user: then it goes through the descriptor that we pass on.
std::string EmbeddedPostgres::Server::as_server_sees(const std::string& path) const {
  const std::string& whole = options_.directory;
  if (!hidden_ || (path != whole && !path.starts_with(whole + "/"))) return path;
  return passed_folder + path.substr(options_.directory.size());
}

void EmbeddedPostgres::Server::start_own_server() {
  identity_ = identity_for(data());
  make_directory(identity_);
  const auto binaries = find_postgres(options_.binaries, cluster_version(data()));
  if (cluster_version(data()) == 0) make_cluster(binaries, identity_);
  stop_leftovers(data());
  remove_misleading_pid_file(data());
  socket_directory_ = make_socket_directory(options_.directory, identity_);
  write_settings(identity_);
  run(binaries, identity_);
  wait_until_ready();
  create_database(socket_directory_);
}

/// The directory stays ours; its user may only pass through to data/ and socket/.
void EmbeddedPostgres::Server::make_directory(const Identity& identity) {
  Identity self;
  self.uid = geteuid();
  self.gid = getegid();
  make_folder(options_.directory, identity.differs ? 0711 : 0700, self);
  folder_ = Descriptor(options_.directory, O_PATH | O_DIRECTORY);
  if (!identity.differs) return;
  std::vector<std::string> folders;
  for (fs::path path = options_.directory; path != path.root_path(); path = path.parent_path()) {
    folders.insert(folders.begin(), path.string());
  }
  hidden_ = !first_closed_folder(folders, identity).empty();
}

/// initdb works beside the place, so that a cluster is there whole or not at all.
void EmbeddedPostgres::Server::make_cluster(const PostgresBinaries& binaries,
                                            const Identity& identity) const {
  const std::string draft = data() + ".new";
  std::error_code ignored;
  fs::remove_all(draft, ignored);
  make_folder(draft, 0700, identity);
  std::vector<std::string> command = {binaries.folder + "/initdb",
                                      "-D",
                                      as_server_sees(draft),
                                      "-U",
                                      "shoebox",
                                      "--encoding=UTF8",
                                      "--locale=C",
                                      "--auth-local=peer",
                                      "--auth-host=reject"};
  if (!options_.durable) command.emplace_back("--no-sync");
  const Descriptor log = open_log();
  const int status = wait_for(launch(command, identity, log.get(), folder_.get(), 0));
  if (status != 0) {
    throw Error(ErrorCode::invalid,
                "initdb failed, see " + log_path() + ":\n" + tail_of(log_path()));
  }
  fs::remove(data(), ignored);  // An empty one may be there.
  if (rename(draft.c_str(), data().c_str()) != 0) {
    throw Error(ErrorCode::invalid, "cannot rename " + draft + ": " + strerror(errno));
  }
}

void EmbeddedPostgres::Server::write_settings(const Identity& identity) const {
  const std::string& directory = options_.directory;
  write_file(directory + "/postgresql.conf",
             configuration(as_server_sees(directory), as_server_sees(socket_directory_),
                           options_.connections_max, options_.durable));
  write_file(directory + "/pg_hba.conf", access_rules());
  std::vector<std::string> users = {"root"};
  if (own_name() != "root") users.push_back(own_name());
  if (identity.name == "postgres") users.push_back(identity.name);
  users.erase(std::unique(users.begin(), users.end()), users.end());
  write_file(directory + "/pg_ident.conf", user_map(users));
}

/// Opened by us: its user could not. One older log is kept.
Descriptor EmbeddedPostgres::Server::open_log() const {
  struct stat status {};
  if (stat(log_path().c_str(), &status) == 0 && status.st_size > log_size_max) {
    std::error_code ignored;
    fs::rename(log_path(), log_path() + ".1", ignored);
  }
  return Descriptor(log_path(), O_WRONLY | O_CREAT | O_APPEND);
}

void EmbeddedPostgres::Server::run(const PostgresBinaries& binaries, const Identity& identity) {
  const std::vector<std::string> command = {
      binaries.folder + "/postgres", "-D", as_server_sees(data()), "-c",
      "config_file=" + as_server_sees(options_.directory + "/postgresql.conf")};
  const Descriptor log = open_log();
  std::unique_lock guard(mutex_);
  child_ = 0;
  ended_ = false;
  trouble_.clear();
  keeper_ = std::thread(
      [this, command, identity, output = log.get()] { keep(command, identity, output); });
  changed_.wait(guard, [this] { return child_ > 0 || ended_; });
  if (!trouble_.empty()) throw Error(ErrorCode::unavailable, trouble_);
}

void EmbeddedPostgres::Server::keep(const std::vector<std::string>& command,
                                    const Identity& identity, int output) {
  // We are the only thread that may signal or reap the child, as far as its number is concerned.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pid_t child = 0;
  {
    const std::lock_guard guard(mutex_);
    try {
      child_ = child = launch(command, identity, output, folder_.get(), SIGINT);
    } catch (const Error& error) {
      trouble_ = error.what();
      ended_ = true;
    }
  }
  changed_.notify_all();
  if (child <= 0) return;
  siginfo_t ended{};
  while (waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
  {
    // Its number stays taken until here, so that nobody signals a stranger.
    const std::lock_guard guard(mutex_);
    wait_for(child);
    ended_ = true;
  }
  changed_.notify_all();
}

void EmbeddedPostgres::Server::wait_until_ready() {
  const auto is_ready = [this] {
    const auto file = read_postmaster_file(data());
    return file && file->ready && file->pid == child_;
  };
  const bool answered =
      wait_until(options_.start_timeout, [&] { return is_ready() || !is_running(); });
  if (answered && is_running()) return;
  throw Error(ErrorCode::unavailable,
              "PostgreSQL did not start, see " + log_path() + ":\n" + tail_of(log_path()));
}

bool EmbeddedPostgres::Server::ended_within(seconds limit) {
  std::unique_lock guard(mutex_);
  return changed_.wait_for(guard, limit, [this] { return ended_; });
}

void EmbeddedPostgres::Server::end_child() {
  for (const auto& [number, patience] :
       {std::pair{SIGINT, fast_shutdown}, std::pair{SIGQUIT, immediate_shutdown},
        std::pair{SIGKILL, immediate_shutdown}}) {
    {
      const std::lock_guard guard(mutex_);
      if (!ended_ && child_ > 0) kill(child_, number);
    }
    if (ended_within(patience)) return;
  }
}

void EmbeddedPostgres::Server::stop() {
  if (keeper_.joinable()) {
    end_child();
    keeper_.join();
  }
  if (lock_.get() < 0) return;
  remove_socket_directory(options_.directory, identity_);
  lock_ = Descriptor();
}

EmbeddedPostgres::EmbeddedPostgres(Options options)
    : server_(std::make_unique<Server>(std::move(options))) {}
EmbeddedPostgres::~EmbeddedPostgres() = default;

void EmbeddedPostgres::start() { server_->start(); }
std::string EmbeddedPostgres::url() const { return server_->url(); }
void EmbeddedPostgres::stop() { server_->stop(); }
bool EmbeddedPostgres::is_running() const { return server_->is_running(); }
int EmbeddedPostgres::pid() const { return server_->pid(); }

}  // namespace metadata
