#include "tests/support/s3_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace test_support {
namespace {

constexpr std::chrono::seconds start_time_max{60};
constexpr std::chrono::milliseconds poll_interval{10};

std::filesystem::path find_program(const std::string& name) {
  const char* tools = std::getenv("SHOEBOX_TOOLS");
  const char* home = std::getenv("HOME");
  const std::filesystem::path root =
      tools != nullptr ? tools
                       : std::filesystem::path(home != nullptr ? home : "/") / ".cache/shoebox";
  std::filesystem::path program = root / "bin" / name;
  if (access(program.c_str(), X_OK) != 0) {
    throw std::runtime_error("the test needs " + program.string() +
                             ": run tests/support/build_test_tools.sh once");
  }
  return program;
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int find_free_port() {
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const bool bound = bind(socket_fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                     getsockname(socket_fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(socket_fd);
  if (!bound) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

std::filesystem::path make_directory() {
  std::string name = std::filesystem::temp_directory_path() / "shoebox-s3-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
  return name;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (auto& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(const char* program, char* const* arguments, char* const* variables,
                         int log) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execve(program, arguments, variables);
  _exit(127);
}

}  // namespace

S3Server::S3Server(std::string program)
    : program_(find_program(program)), directory_(make_directory()), port_(find_free_port()) {
  // Both servers take a directory in their data directory for a bucket.
  std::filesystem::create_directories(data_directory() / bucket());
}

S3Server::~S3Server() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string S3Server::address() const { return "127.0.0.1:" + std::to_string(port_); }
std::string S3Server::endpoint() const { return (is_tls() ? "https://" : "http://") + address(); }

storage::s3::S3ObjectStore::Options S3Server::store_options() const {
  storage::s3::S3ObjectStore::Options options;
  options.endpoint = endpoint();
  options.bucket = bucket();
  // Who tests restarts does not want to wait for seconds.
  options.retry.delay_max = std::chrono::milliseconds(500);
  options.credentials = {.key_id = key_id(), .secret = secret(), .session_token = {}};
  return options;
}

void S3Server::start() {
  spawn();
  wait_until_ready();
}

void S3Server::spawn() {
  std::vector<std::string> words = arguments();
  words.insert(words.begin(), program_.string());
  std::vector<std::string> variables = {"HOME=" + directory_.string(), "PATH=/usr/bin:/bin"};
  for (const auto& [name, value] : environment()) variables.push_back(name + "=" + value);
  const int log =
      open((directory_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  auto argument_pointers = pointers(words);
  auto variable_pointers = pointers(variables);
  child_ = fork();
  if (child_ == 0) {
    become(program_.c_str(), argument_pointers.data(), variable_pointers.data(), log);
  }
  close(log);
  if (child_ < 0) throw std::runtime_error("fork fails");
}

void S3Server::wait_until_ready() {
  const auto deadline = std::chrono::steady_clock::now() + start_time_max;
  while (!answers()) {
    const bool died = waitpid(child_, nullptr, WNOHANG) == child_;
    if (died) child_ = -1;
    if (died || std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error(program_.string() + " does not start:\n" + log_tail());
    }
    std::this_thread::sleep_for(poll_interval);
  }
}

// A server that listens but is not ready says 503; any other answer will do, and with TLS that it
// listens.
bool S3Server::answers() const {
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in to = loopback(port_);
  const std::string request = "GET /minio/health/ready HTTP/1.0\r\n\r\n";
  char answer[16] = "";  // HTTP/1.1 200
  const bool connected = connect(socket_fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  const bool spoke = connected && !is_tls() &&
                     send(socket_fd, request.data(), request.size(), MSG_NOSIGNAL) > 0 &&
                     recv(socket_fd, answer, 12, MSG_WAITALL) == 12;
  close(socket_fd);
  return is_tls() ? connected : spoke && std::string(answer + 9) != "503";
}

std::string S3Server::log_tail() const {
  std::ostringstream text;
  text << std::ifstream(directory_ / "log").rdbuf();
  const std::string log = text.str();
  return log.substr(log.size() > 2000 ? log.size() - 2000 : 0);
}

void S3Server::kill() {
  if (child_ < 0) return;
  ::kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
  child_ = -1;
}

}  // namespace test_support
