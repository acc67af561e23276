#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "metadata/names/server_id.h"
#include "metadata/pqxx_versions.h"
#include "metadata/statement.h"

namespace metadata {

/// One connection and what was prepared on it. Used by one thread at a time.
class Session {
 public:
  /// Connects and sets what every session needs; tries once. One of a server waits until no other
  /// server trusts its memory. Throws libpqxx's exceptions.
  explicit Session(const std::string& url, std::optional<ServerId> server = {});

  pqxx::connection& connection() { return connection_; }
  bool is_open() const { return connection_.is_open(); }
  const std::optional<ServerId>& server() const { return server_; }
  /// The process that serves it in the database.
  std::int64_t backend() const { return backend_; }

  /// Whether the server has hung up, as far as the socket knows now; no round trip.
  bool peer_is_gone() const;

  void prepare(const Statement& statement);

 private:
  pqxx::connection connection_;
  SilentNotices silence_;
  const std::optional<ServerId> server_;
  std::int64_t backend_ = 0;
  std::unordered_set<std::string> prepared_;
};

/// `url` with our defaults added (application name, keepalives, timeouts); what it says itself
/// wins.
std::string with_defaults(const std::string& url);

}  // namespace metadata
