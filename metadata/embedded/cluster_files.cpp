#include "metadata/embedded/cluster_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "metadata/error.h"

namespace metadata {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t socket_path_max = 107;
constexpr char socket_name[] = "/.s.PGSQL.5432";
constexpr char folder_prefix[] = "shoebox-";

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  throw Error(ErrorCode::invalid, "cannot " + what + " " + path + ": " + strerror(errno));
}

std::string note_path(const std::string& directory) { return directory + "/socket_directory"; }

/// A value in postgresql.conf.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
  return result + "'";
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// The same folder again, unless somebody else has its name by now.
bool make_again(const std::string& path, const Identity& owner) {
  if (!fs::path(path).filename().string().starts_with(folder_prefix)) return false;
  if (mkdir(path.c_str(), 0700) != 0) return false;
  make_folder(path, 0700, owner);
  return true;
}

std::string make_private_folder(const Identity& owner) {
  std::vector<std::string> parents;
  if (geteuid() == 0) parents.emplace_back("/run");
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR")) {
    if (geteuid() != 0) parents.emplace_back(runtime);
  }
  parents.emplace_back("/tmp");
  for (const auto& parent : parents) {
    std::string path = parent + "/" + folder_prefix + "XXXXXX";
    if (path.size() + sizeof socket_name > socket_path_max) continue;
    if (mkdtemp(path.data()) == nullptr) continue;
    make_folder(path, 0700, owner);
    return path;
  }
  throw Error(ErrorCode::invalid, "no place for PostgreSQL's socket in /run or /tmp");
}

}  // namespace

int leading_number(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::optional<PostmasterFile> read_postmaster_file(const std::string& data) {
  std::ifstream file(data + "/postmaster.pid");
  std::vector<std::string> lines;
  for (std::string line; lines.size() < 8 && std::getline(file, line);) lines.push_back(line);
  // Lines: pid, data directory, start, port, socket directory, address, memory key, state.
  if (lines.empty() || leading_number(lines[0]) <= 0) return std::nullopt;
  PostmasterFile result;
  result.pid = leading_number(lines[0]);
  if (lines.size() > 4) result.socket_directory = lines[4];
  result.ready = lines.size() > 7 && lines[7].starts_with("ready");
  return result;
}

int cluster_version(const std::string& data) {
  return leading_number(first_line(data + "/PG_VERSION"));
}

std::vector<pid_t> processes_in(const std::string& data) {
  std::vector<pid_t> pids;
  std::error_code ignored;
  const fs::path real = fs::weakly_canonical(data, ignored);
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const int pid = leading_number(entry.path().filename().native());
    if (pid <= 0 || first_line(entry.path() / "comm") != "postgres") continue;
    std::error_code error;
    if (fs::read_symlink(entry.path() / "cwd", error) == real && !error) pids.push_back(pid);
  }
  return pids;
}

void make_folder(const std::string& path, unsigned mode, const Identity& owner) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) fail("make", path);
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) fail("see", path);
  if (!S_ISDIR(status.st_mode)) {
    errno = ENOTDIR;
    fail("use", path);
  }
  if (status.st_uid != owner.uid && lchown(path.c_str(), owner.uid, owner.gid) != 0) {
    fail("give away", path);
  }
  if ((status.st_mode & 07777U) != mode && chmod(path.c_str(), mode) != 0) fail("protect", path);
}

void write_file(const std::string& path, const std::string& text) {
  const std::string draft = path + ".new";
  {
    std::ofstream file(draft, std::ios::trunc);
    file << text;
    if (!file.flush()) fail("write", draft);
  }
  if (chmod(draft.c_str(), 0644) != 0 || rename(draft.c_str(), path.c_str()) != 0) {
    fail("write", path);
  }
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string make_socket_directory(const std::string& directory, const Identity& owner,
                                  const std::string& before) {
  remove_socket_directory(directory, owner);
  const std::string usual = directory + "/socket";
  if (usual.size() + sizeof socket_name - 1 > socket_path_max) {
    const std::string path = make_again(before, owner) ? before : make_private_folder(owner);
    write_file(note_path(directory), path + "\n");
    return path;
  }
  std::error_code ignored;
  fs::remove_all(usual, ignored);
  make_folder(usual, 0700, owner);
  return usual;
}

void remove_socket_directory(const std::string& directory, const Identity& owner) {
  const std::string path = first_line(note_path(directory));
  if (path.empty()) return;
  struct stat status {};
  const bool ours = fs::path(path).filename().string().starts_with(folder_prefix) &&
                    lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
                    status.st_uid == owner.uid;
  std::error_code ignored;
  if (ours) fs::remove_all(path, ignored);
  fs::remove(note_path(directory), ignored);
}

std::string configuration(const std::string& directory, const std::string& socket_directory,
                          int connections_max, bool durable) {
  std::string text =
      "# Written by shoebox at every start. Put your own settings into local.conf.\n";
  const auto set = [&](const std::string& name, const std::string& value) {
    text += name + " = " + value + "\n";
  };
  set("listen_addresses", "''");
  set("unix_socket_directories", quoted(socket_directory));
  set("unix_socket_permissions", "0700");
  set("port", "5432");
  set("hba_file", quoted(directory + "/pg_hba.conf"));
  set("ident_file", quoted(directory + "/pg_ident.conf"));
  set("max_connections", std::to_string(connections_max));
  set("shared_buffers", "96MB");
  set("max_wal_size", "512MB");
  set("wal_compression", "on");
  set("deadlock_timeout", "100ms");
  set("jit", "off");
  set("max_parallel_workers_per_gather", "0");
  set("timezone", "'UTC'");
  set("cluster_name", "'shoebox'");
  // The log holds neither statements nor their parameters: those may be names or hashes.
  set("log_timezone", "'UTC'");
  set("log_line_prefix", "'%m [%p] '");
  set("log_checkpoints", "off");
  set("log_min_error_statement", "panic");
  set("log_error_verbosity", "terse");
  if (!durable) {
    set("fsync", "off");
    set("full_page_writes", "off");
  }
  return text + "include_if_exists = 'local.conf'\n";
}

std::string access_rules() {
  return "# Written by shoebox at every start.\n"
         "local all all peer map=shoebox\n";
}

std::string user_map(const std::vector<std::string>& names) {
  std::string text = "# Written by shoebox at every start: system users who may connect.\n";
  for (const auto& name : names) text += "shoebox \"" + name + "\" shoebox\n";
  return text;
}

}  // namespace metadata
