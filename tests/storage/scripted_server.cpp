#include "tests/storage/scripted_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <sstream>
#include <stdexcept>

namespace test_support {
namespace {

ReceivedRequest parse_head(const std::string& head) {
  ReceivedRequest request;
  std::istringstream lines(head);
  std::string line;
  lines >> request.method >> request.target;
  std::getline(lines, line);
  while (std::getline(lines, line) && line != "\r") {
    const auto colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    request.headers[name] = line.substr(colon + 2, line.size() - colon - 3);
  }
  return request;
}

bool read_more(int connection, std::string& unread) {
  char buffer[65536];
  const ssize_t count = recv(connection, buffer, sizeof buffer, 0);
  if (count <= 0) return false;
  unread.append(buffer, static_cast<std::size_t>(count));
  return true;
}

void send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string head_of(int status, const std::string& headers, std::size_t length) {
  return "HTTP/1.1 " + std::to_string(status) + " Scripted\r\n" + headers +
         "Content-Length: " + std::to_string(length) + "\r\n\r\n";
}

}  // namespace

ScriptedAnswer answer(int status, const std::string& headers, const std::string& body) {
  return {.bytes = head_of(status, headers, body.size()) + body};
}

ScriptedAnswer hang_up() { return {.bytes = "", .close_after = true}; }

ScriptedAnswer cut_off(int status, const std::string& headers, const std::string& body,
                       std::size_t sent) {
  return {.bytes = head_of(status, headers, body.size()) + body.substr(0, sent),
          .close_after = true};
}

ScriptedServer::ScriptedServer(Handler handler) : handler_(std::move(handler)) {
  listen_on_free_port();
  acceptor_ = std::thread([this] { accept_connections(); });
}

ScriptedServer::ScriptedServer(std::vector<ScriptedAnswer> script)
    : ScriptedServer([script = std::move(script), next = std::make_shared<std::size_t>(0),
                      mutex = std::make_shared<std::mutex>()](const ReceivedRequest&) {
        std::lock_guard lock(*mutex);
        return script[std::min((*next)++, script.size() - 1)];
      }) {}

ScriptedServer::~ScriptedServer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    for (const int connection : open_) shutdown(connection, SHUT_RDWR);
  }
  acceptor_.join();
  for (auto& thread : connection_threads_) thread.join();
  close(listener_);
}

std::string ScriptedServer::origin() const { return "http://127.0.0.1:" + std::to_string(port_); }

std::vector<ReceivedRequest> ScriptedServer::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

int ScriptedServer::connections() const {
  std::lock_guard lock(mutex_);
  return connections_;
}

void ScriptedServer::listen_on_free_port() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 || listen(listener_, 64) != 0 ||
      getsockname(listener_, generic, &size) != 0) {
    throw std::runtime_error("no port for the test's server");
  }
  port_ = ntohs(address.sin_port);
}

void ScriptedServer::accept_connections() {
  while (true) {
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    std::lock_guard lock(mutex_);
    if (stopping_) {
      close(connection);
      return;
    }
    ++connections_;
    open_.insert(connection);
    connection_threads_.emplace_back([this, connection] { serve(connection); });
  }
}

void ScriptedServer::serve(int connection) {
  std::string unread;
  while (serve_one(connection, unread)) {
  }
  std::lock_guard lock(mutex_);
  open_.erase(connection);
  close(connection);
}

bool ScriptedServer::serve_one(int connection, std::string& unread) {
  std::size_t end = 0;
  while ((end = unread.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more(connection, unread)) return false;
  }
  ReceivedRequest request = parse_head(unread.substr(0, end + 2));
  unread.erase(0, end + 4);
  const std::string length = request.header("content-length");
  const std::size_t body_size = length.empty() ? 0 : std::stoul(length);
  while (unread.size() < body_size) {
    if (!read_more(connection, unread)) return false;
  }
  request.body = unread.substr(0, body_size);
  unread.erase(0, body_size);
  {
    std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  const ScriptedAnswer reply = handler_(request);
  send_all(connection, reply.bytes);
  return !reply.close_after;
}

}  // namespace test_support
