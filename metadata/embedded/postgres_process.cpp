#include "metadata/embedded/postgres_process.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "metadata/database.h"
#include "metadata/embedded/child_process.h"
#include "metadata/embedded/cluster_files.h"
#include "metadata/embedded/postgres_binaries.h"
#include "metadata/embedded/server_process.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

namespace fs = std::filesystem;
constexpr off_t log_size_max = 10 << 20;
constexpr std::chrono::milliseconds watch_interval{250};
constexpr std::chrono::milliseconds failure_interval{5'000};

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

void create_database(const std::string& socket_directory, const std::stop_token& give_up) {
  Database::Options options;
  options.url = url_of(socket_directory, "postgres");
  options.connections_max = 1;
  options.give_up = give_up;
  Database database(options);
  const auto exists = [&] {
    return database.query([](Transaction& tx) { return !tx.inner().run(database_exists).empty(); });
  };
  if (exists()) return;
  try {
    database.query(
        [](Transaction& tx) { return tx.inner().script("CREATE DATABASE shoebox").empty(); });
  } catch (const Error&) {
    if (!exists()) throw;  // Another process was faster.
  }
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
  std::string url() const { return url_of(socket_directory(), "shoebox"); }
  bool is_running() const { return process_.is_running(); }
  int pid() const { return process_.pid(); }

 private:
  std::string data() const { return options_.directory + "/data"; }
  std::string log_path() const { return options_.directory + "/postgresql.log"; }

  std::string as_server_sees(const std::string& path) const;

  std::string socket_directory() const;
  void set_socket_directory(std::string path);

  bool take_lock();
  bool use_foreign_server();
  void watch(const std::stop_token& stop);
  bool start_again() noexcept;
  void start_own_server();
  void make_directory(const Identity& identity);
  void make_cluster(const PostgresBinaries& binaries, const Identity& identity) const;
  void write_settings(const Identity& identity) const;
  Descriptor open_log() const;
  void run(const PostgresBinaries& binaries, const Identity& identity);
  void wait_until_ready();

  Options options_;
  Descriptor lock_;
  Descriptor folder_;    // options_.directory, for the server
  bool hidden_ = false;  // the server's user may not enter a folder above it
  Identity identity_;
  ServerProcess process_;
  mutable std::mutex socket_mutex_;
  std::string socket_directory_;  // under socket_mutex_; url() may be asked for at any time
  std::jthread
      watcher_;  ///< while it runs, it alone uses what stands above, but for url() and pid()
};

std::string EmbeddedPostgres::Server::socket_directory() const {
  const std::lock_guard lock(socket_mutex_);
  return socket_directory_;
}

void EmbeddedPostgres::Server::set_socket_directory(std::string path) {
  const std::lock_guard lock(socket_mutex_);
  socket_directory_ = std::move(path);
}

void EmbeddedPostgres::Server::start() {
  if (is_running()) return;
  stop();
  std::error_code ignored;
  fs::create_directory(options_.directory, ignored);
  bool foreign = false;
  // Another process may be about to start the server, or to end.
  const bool decided = wait_until(options_.start_timeout, options_.give_up,
                                  [&] { return take_lock() || (foreign = use_foreign_server()); });
  if (!decided) {
    throw Error(ErrorCode::unavailable, "another process holds " + options_.directory +
                                            ", but its PostgreSQL does not answer");
  }
  try {
    if (!foreign) start_own_server();
    create_database(socket_directory(), options_.give_up);
  } catch (...) {
    stop();
    throw;
  }
  watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

/// Starts the server again when it has died, and becomes its owner when the owner has gone: those
/// who use it only wait for it meanwhile.
void EmbeddedPostgres::Server::watch(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    const bool ours = lock_.get() >= 0 || take_lock();
    const bool failed = ours && !is_running() && !start_again();
    stopped.wait_for(lock, stop, failed ? failure_interval : watch_interval, [] { return false; });
  }
}

bool EmbeddedPostgres::Server::start_again() noexcept {
  try {
    process_.stop();  // It has ended: this makes room for the next one.
    start_own_server();
    return true;
  } catch (const std::exception&) {
    process_.stop();  // Its log says why.
    return false;
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
  std::string path = file->socket_directory;
  if (path.starts_with(passed_folder)) {
    path.replace(0, std::strlen(passed_folder), options_.directory);
  }
  set_socket_directory(std::move(path));
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
  stop_leftovers(data(), options_.give_up);
  remove_misleading_pid_file(data());
  set_socket_directory(make_socket_directory(options_.directory, identity_, socket_directory()));
  write_settings(identity_);
  run(binaries, identity_);
  wait_until_ready();
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
  const int status =
      wait_for(launch(command, identity, log.get(), folder_.get(), SIGTERM), options_.give_up);
  if (options_.give_up.stop_requested()) throw Error(ErrorCode::unavailable, "the program stops");
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
             configuration(as_server_sees(directory), as_server_sees(socket_directory()),
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
  process_.start(command, identity, log.get(), folder_.get());
}

void EmbeddedPostgres::Server::wait_until_ready() {
  const auto is_ready = [this] {
    const auto file = read_postmaster_file(data());
    return file && file->ready && file->pid == process_.pid();
  };
  const bool answered = wait_until(options_.start_timeout, options_.give_up,
                                   [&] { return is_ready() || !is_running(); });
  if (answered && is_running()) return;
  throw Error(ErrorCode::unavailable,
              "PostgreSQL did not start, see " + log_path() + ":\n" + tail_of(log_path()));
}

void EmbeddedPostgres::Server::stop() {
  watcher_ = {};
  process_.stop();
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
