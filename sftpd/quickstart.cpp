#include "sftpd/quickstart.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>

#include "metadata/repositories/users.h"
#include "sftpd/admin/terminal.h"
#include "sftpd/admin/users.h"
#include "sftpd/auth/password.h"
#include "sftpd/config/secret_file.h"
#include "sftpd/log/log.h"
#include "sftpd/process/lock_file.h"
#include "sftpd/service.h"

namespace sftpd {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string data = "shoebox-data";
  std::string listen;
  std::string user = "shoebox";
  std::string password_file;
};

constexpr const char* settings_text =
    R"(# Made by `shoebox quickstart`; yours to change. Every key: etc/shoebox.yaml of the sources.
# Paths are relative to this file. While quickstart runs, `shoebox user add NAME --config` with this
# file adds users.
listen: ["127.0.0.1:2022"]
host_keys:
  - host_keys/ssh_host_ed25519_key
  - host_keys/ssh_host_ecdsa_key
  - host_keys/ssh_host_rsa_key
database: {embedded: postgres}
storage: {backend: local, directory: objects}
)";

/// Makes the directory if it is not there; the permissions of one that is there are its owner's.
/// When root starts us, the database runs as somebody else, who must be able to pass through; what
/// is in it has its own permissions.
void make_directory(const fs::path& directory) {
  std::error_code error;
  const bool made = fs::create_directories(directory, error);
  if (error) {
    throw admin::Failure(
        fmt::format("cannot make the directory {}: {}", directory.string(), error.message()));
  }
  if (::access(directory.c_str(), W_OK | X_OK) != 0) {
    throw admin::Failure(
        fmt::format("the directory {} is not writable for this user", directory.string()));
  }
  if (!made) return;
  const auto pass =
      ::geteuid() == 0 ? fs::perms::group_exec | fs::perms::others_exec : fs::perms::none;
  fs::permissions(directory, fs::perms::owner_all | pass);
}

/// What a quickstart makes in its directory, and what a file system of its own may have there.
constexpr std::array<const char*, 7> own_names{
    "shoebox.yaml", "shoebox.yaml.new", "lock", "host_keys", "postgres", "objects", "lost+found"};

/// Refuses what is somebody else's: a home directory, /tmp.
void expect_own(const fs::path& directory) {
  if (fs::exists(directory / "shoebox.yaml")) return;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (std::find(own_names.begin(), own_names.end(), name) != own_names.end()) continue;
    throw admin::Failure(fmt::format(
        "{} has other things in it than Shoebox's, such as {}: give --data a directory that is "
        "empty, is not there yet, or was made by quickstart",
        directory.string(), name));
  }
}

void write_settings(const fs::path& file) {
  if (fs::exists(file)) return;
  const fs::path draft = file.string() + ".new";
  std::ofstream out(draft);
  out << settings_text;
  out.close();
  if (!out) throw admin::Failure(fmt::format("cannot write {}", draft.string()));
  fs::rename(draft, file);
}

process::LockFile lock(const fs::path& directory) {
  auto lock = process::LockFile::try_lock(directory / "lock");
  if (!lock) {
    throw admin::Failure(fmt::format("another quickstart runs in {} already", directory.string()));
  }
  return std::move(*lock);
}

/// What became of the user at this start.
struct UserOutcome {
  std::string password;  ///< to be shown; empty: nothing to show
  std::string remark;
};

UserOutcome add_user(metadata::Database& database, const Arguments& arguments,
                     const std::string& given) {
  const std::string password = given.empty() ? admin::generate_password() : given;
  admin::create_user(database, arguments.user, password, 0);
  if (given.empty()) return {password, ""};
  return {"", fmt::format("the one in {}", arguments.password_file)};
}

/// The password in the file; empty if there is none.
config::Secret given_password(const std::string& file) {
  if (file.empty()) return {};
  config::Secret secret = config::read_secret_file(file);
  if (auth::acceptable_password(secret.text)) return secret;
  throw admin::Failure(fmt::format("{} holds no possible password", file));
}

/// The user exists afterwards. A password that was given is theirs then; else it stays.
UserOutcome prepare_user(metadata::Database& database, const Arguments& arguments,
                         const std::string& given, const std::string& config_file) {
  const auto user = database.query(
      [&](metadata::Transaction& tx) { return metadata::Users(tx).find(arguments.user); });
  if (!user) return add_user(database, arguments, given);
  if (given.empty()) {
    return {"", fmt::format("as before (change it: shoebox user passwd {} --config {})",
                            arguments.user, config_file)};
  }
  if (!auth::verify_password(user->password_hash, given)) {
    admin::set_password(database, user->id, given);
  }
  return {"", fmt::format("the one in {}", arguments.password_file)};
}

/// Where a client on this machine connects to: all addresses include loopback.
std::string host_for_clients(const std::string& listen) {
  std::string host = listen.substr(0, listen.rfind(':'));
  if (host.size() >= 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  if (host.empty() || host == "0.0.0.0" || host == "::") return "127.0.0.1";
  return host;
}

void print_welcome(const ProgramOptions& options, const Arguments& arguments,
                   const UserOutcome& outcome, const Service& service, const fs::path& config) {
  const std::string host = host_for_clients(options.server.listen.front());
  const int port = service.ports().front();
  const std::string& user = arguments.user;
  const std::string bracketed = host.find(':') == std::string::npos ? host : "[" + host + "]";
  fmt::print("\nShoebox is ready at {}:{}\n", bracketed, port);
  fmt::print("  user      {}\n", user);
  fmt::print("  password  {}\n", outcome.password.empty()
                                     ? outcome.remark
                                     : outcome.password + "   (shown only this once)");
  const ssh::HostKeys host_keys = ssh::HostKeys::load(options.host_keys);
  for (const ssh::HostKey& key : host_keys.keys()) {
    fmt::print("  host key  {} {}\n", key.fingerprint, key.type);
  }
  fmt::print("\nTry one of these in another terminal:\n");
  fmt::print("  sftp -P {} {}@{}\n", port, user, bracketed);
  fmt::print("  scp -P {} -r PHOTOS {}@{}:\n", port, user, bracketed);
  fmt::print("  mkdir -p ~/shoebox && sshfs -p {} {}@{}:/ ~/shoebox\n", port, user, bracketed);
  fmt::print(
      "  rclone copy -P PHOTOS ':sftp,host=\"{}\",port={},user={},ask_password=true:PHOTOS'\n",
      host, port, user);
  fmt::print("Add users:  shoebox user add NAME --config {}\n", config.string());
  fmt::print("Stop it:    Ctrl-C\n\n");
  std::fflush(stdout);
}

ProgramOptions load_options(const fs::path& config_file, const Arguments& arguments) {
  config::Settings settings = config::load_settings(config_file.string());
  if (!arguments.listen.empty()) settings.listen = {arguments.listen};
  return options_from(settings);
}

int quickstart(const Arguments& arguments, admin::Context& context) {
  ::umask(077);
  const fs::path directory = fs::absolute(arguments.data).lexically_normal();
  make_directory(directory);
  expect_own(directory);
  const process::LockFile held = lock(directory);
  const fs::path config_file = directory / "shoebox.yaml";
  write_settings(config_file);
  make_directory(directory / "host_keys");
  ssh::HostKeys::load_or_generate(directory / "host_keys");

  ProgramOptions options = load_options(config_file, arguments);
  const config::Secret password = given_password(arguments.password_file);
  if (!password.warning.empty()) options.warnings.push_back(password.warning);
  start_log(context, options.log_level);
  UserOutcome outcome;
  return serve_until_stopped(
      options, {.before_start =
                    [&](admin::Backends& backends) {
                      outcome = prepare_user(backends.database(), arguments, password.text,
                                             config_file.string());
                    },
                .after_start =
                    [&](const Service& service) {
                      print_welcome(options, arguments, outcome, service, config_file);
                    },
                .reload = {}});
}

}  // namespace

admin::Action declare_quickstart(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("--data", arguments->data, "Directory for everything")->capture_default_str();
  app.add_option("--listen", arguments->listen, "ADDRESS:PORT instead of the settings'");
  app.add_option("--user", arguments->user, "User to be there")->capture_default_str();
  app.add_option("--password-file", arguments->password_file, "File with that user's password");
  return [arguments](admin::Context& context) { return quickstart(*arguments, context); };
}

}  // namespace sftpd
