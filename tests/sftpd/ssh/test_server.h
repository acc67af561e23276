#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "sftpd/auth/authenticator.h"
#include "sftpd/ssh/server.h"
#include "tests/sftpd/ssh/programs.h"

namespace sftpd::ssh::testing {

/// A directory that is gone with its owner.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct ClientResult {
  int status = -1;  ///< exit status
  std::string out;
  std::string err;
};

/// A server in this process with users "alice" (password "correct horse", keys), "bob" (keys only)
/// and "mallory" (disabled), and real clients to talk to it.
class TestServer {
 public:
  explicit TestServer(const std::function<void(ServerOptions&)>& adjust = {});
  ~TestServer();

  std::uint16_t port() const { return port_; }
  const std::filesystem::path& directory() const { return scratch_.path(); }
  ProgramControl& programs() { return programs_; }
  Server& server() { return *server_; }
  void stop() { server_->stop(); }

  /// Makes a key pair with ssh-keygen and gives it to alice; `arguments` such as "-t ed25519".
  std::filesystem::path add_key(const std::string& name, const std::string& arguments);
  /// Makes it without giving it to anybody.
  std::filesystem::path make_key(const std::string& name, const std::string& arguments) const;

  /// "ssh <options> <usual options> alice@127.0.0.1 <rest>" with alice's first key.
  std::string ssh(const std::string& rest, const std::string& options = "") const;
  /// The same in place of the shell, whose process number is written to `pid_file`.
  std::string exec_ssh(const std::string& rest, const std::string& pid_file) const;
  /// "ssh ..." that asks a script for its password.
  std::string ssh_with_password(const std::string& user, const std::string& password,
                                const std::string& options = "") const;

  std::string password_hash(const std::string& user);
  /// From now on nobody can be looked up, as if the database was away.
  void break_users() { users_broken_ = true; }

 private:
  std::optional<metadata::User> find(const std::string& name);

  ScratchDirectory scratch_;
  std::mutex mutex_;
  std::map<std::string, metadata::User> users_;
  std::set<std::string> keys_;  ///< alice's and mallory's, "type base64"
  std::atomic<bool> users_broken_{false};
  ProgramControl programs_;
  std::unique_ptr<auth::Authenticator> authenticator_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

/// Runs bash with these lines, its output caught.
ClientResult run(const std::string& command);

/// Turns the condition over until it holds; false if it does not in 60 s, which only a bug takes.
bool eventually(const std::function<bool()>& condition);

}  // namespace sftpd::ssh::testing
