#include "tests/sftpd/ssh/test_server.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "sftpd/auth/public_key.h"

namespace sftpd::ssh::testing {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

auth::Authenticator::Options cheap_hashing() {
  auth::Authenticator::Options options;
  options.cost = {.passes = 1, .memory_bytes = 8192};
  options.throttle.network_failures = 1000;
  options.throttle.user_failures = 1000;
  return options;
}

}  // namespace

ScratchDirectory::ScratchDirectory() {
  std::string name = (fs::temp_directory_path() / "shoebox-ssh-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no scratch directory");
  path_ = name;
}
ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

ClientResult run(const std::string& command) {
  const ScratchDirectory scratch;
  const auto out = scratch.path() / "out";
  const auto err = scratch.path() / "err";
  // bash, because it does not wait for what feeds a client by <(...).
  const auto script = scratch.path() / "script";
  std::ofstream(script) << command << "\n";
  const std::string line =
      fmt::format("exec bash {} >{} 2>{} </dev/null", script.string(), out.string(), err.string());
  const int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content_of(out), content_of(err)};
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TestServer::TestServer(const std::function<void(ServerOptions&)>& adjust) {
  const std::string hash = auth::hash_password("correct horse", {1, 8192});
  for (const char* name : {"alice", "bob", "mallory"}) {
    metadata::User user;
    user.id = {static_cast<std::int64_t>(users_.size()) + 1};
    user.account = {7};
    user.name = name;
    user.password_hash = user.name == "bob" ? "" : hash;
    user.disabled = user.name == "mallory";
    users_[name] = user;
  }
  authenticator_ = std::make_unique<auth::Authenticator>(
      auth::UserDirectory{
          .find = [this](const std::string& name) { return find(name); },
          .has_key =
              [this](metadata::UserId user, const std::string& type, const std::string& blob) {
                std::lock_guard lock(mutex_);
                return user.value != 0 && keys_.contains(type + " " + blob);
              },
          .set_password_hash =
              [this](metadata::UserId id, const std::string& text) {
                std::lock_guard lock(mutex_);
                for (auto& [name, user] : users_) {
                  if (user.id == id) user.password_hash = text;
                }
              }},
      cheap_hashing());

  make_key("host", "-t ed25519");
  ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  options.take_systemd_sockets = false;
  options.host_keys = HostKeys::load({directory() / "host"});
  options.thread_stack_bytes = 0;  // sanitizers want more than usual
  options.program_factory = [this](const auth::Login& login, const SessionInfo& session,
                                   const ChannelRequest& request, ByteStream& stream) {
    return make_program(programs_, login, session, request, stream);
  };
  if (adjust) adjust(options);
  server_ = std::make_unique<Server>(std::move(options), *authenticator_);
  server_->start();
  port_ = server_->ports().at(0);
  add_key("key", "-t ed25519");
}

TestServer::~TestServer() { server_->stop(); }

std::optional<metadata::User> TestServer::find(const std::string& name) {
  if (users_broken_) throw std::runtime_error("no database");
  std::lock_guard lock(mutex_);
  const auto found = users_.find(name);
  if (found == users_.end()) return std::nullopt;
  return found->second;
}

std::string TestServer::password_hash(const std::string& user) {
  return find(user).value().password_hash;
}

fs::path TestServer::make_key(const std::string& name, const std::string& arguments) const {
  const fs::path file = directory() / name;
  const auto made = run(fmt::format("ssh-keygen -q -N '' {} -f {}", arguments, file.string()));
  if (made.status != 0) throw std::runtime_error("ssh-keygen: " + made.err);
  return file;
}

fs::path TestServer::add_key(const std::string& name, const std::string& arguments) {
  const fs::path file = make_key(name, arguments);
  const auto key = auth::parse_authorized_key(content_of(file.string() + ".pub"));
  std::lock_guard lock(mutex_);
  keys_.insert(key.type + " " + key.blob_base64);
  return file;
}

std::string TestServer::ssh(const std::string& rest, const std::string& options) const {
  return fmt::format(
      "timeout 120 ssh -F none {} -o BatchMode=yes -o UserKnownHostsFile=/dev/null "
      "-o LogLevel=ERROR -o StrictHostKeyChecking=no -o IdentitiesOnly=yes -i {} -p {} "
      "alice@127.0.0.1 {}",
      options, (directory() / "key").string(), port_, rest);
}

std::string TestServer::exec_ssh(const std::string& rest, const std::string& pid_file) const {
  constexpr std::size_t timeout_command_length = std::string_view("timeout 120 ").size();
  // While a process is stopped, an exit in its session may hang up its process group: all tests.
  return fmt::format("echo $$ > {}\nexec setsid {}", pid_file,
                     ssh(rest).substr(timeout_command_length));
}

std::string TestServer::ssh_with_password(const std::string& user, const std::string& password,
                                          const std::string& options) const {
  const fs::path script = directory() / "askpass";
  std::ofstream(script) << "#!/bin/sh\ncat <<'END'\n" << password << "\nEND\n";
  fs::permissions(script, fs::perms::owner_all);
  return fmt::format(
      "SSH_ASKPASS={} SSH_ASKPASS_REQUIRE=force timeout 120 ssh -F none {} "
      "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o StrictHostKeyChecking=no "
      "-o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 -p {} {}@127.0.0.1 who",
      script.string(), options, port_, user);
}

}  // namespace sftpd::ssh::testing
