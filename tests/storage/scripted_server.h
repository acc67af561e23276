#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace test_support {

/// A request as it came over the wire. Header names are lower case.
struct ReceivedRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;
  std::string body;

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

/// What the server sends back, byte for byte.
struct ScriptedAnswer {
  std::string bytes;
  bool close_after = false;  ///< end the connection behind it
};

/// An answer with its Content-Length, on a connection that goes on. `headers` are whole lines with
/// their line breaks.
ScriptedAnswer answer(int status, const std::string& headers, const std::string& body);
/// The connection ends without a byte of an answer.
ScriptedAnswer hang_up();
/// Promises the whole body, sends its first `sent` bytes, and ends the connection.
ScriptedAnswer cut_off(int status, const std::string& headers, const std::string& body,
                       std::size_t sent);

/// A small HTTP/1.1 server on 127.0.0.1 whose answers a test decides: a thread a connection.
class ScriptedServer {
 public:
  /// Called for each request, at the same time for several connections.
  using Handler = std::function<ScriptedAnswer(const ReceivedRequest&)>;

  explicit ScriptedServer(Handler handler);
  /// Answers the requests in this order; the last answer repeats.
  explicit ScriptedServer(std::vector<ScriptedAnswer> script);
  ~ScriptedServer();

  std::string origin() const;
  std::vector<ReceivedRequest> requests() const;
  int connections() const;

 private:
  void listen_on_free_port();
  void accept_connections();
  void serve(int connection);
  bool serve_one(int connection, std::string& unread);

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;  // of what follows
  std::vector<ReceivedRequest> requests_;
  std::set<int> open_;
  std::vector<std::thread> connection_threads_;
  int connections_ = 0;
  bool stopping_ = false;
  std::thread acceptor_;
};

}  // namespace test_support
