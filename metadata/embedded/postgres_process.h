#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>

namespace metadata {

/// A private PostgreSQL server in a directory: for a household, a trial, a test.
///
/// `directory` gets data/ (the cluster), socket/, postgresql.log, and settings that are written at
/// every start (yours go into local.conf). The server listens on a Unix socket only; the kernel
/// vouches for who connects (peer), and only this user and root may. Started by root it runs as the
/// user `postgres` or else `nobody`. It ends with us, however we end: stop(), Ctrl-C, kill -9.
///
/// Not thread-safe, but start() and stop() may be called from different threads, one at a time.
class EmbeddedPostgres {
 public:
  struct Options {
    std::string directory;     ///< made if missing; its parents must exist
    int connections_max = 40;  ///< of the server; at least what all pools together may open
    bool durable = true;       ///< false loses data when the machine crashes: for tests
    std::string binaries;      ///< the folder of initdb and postgres; empty: looks for the newest
    std::chrono::seconds start_timeout{300};  ///< crash recovery takes as long as it takes
    std::stop_token give_up = {};  ///< ends a start() that is under way: it throws unavailable
  };

  explicit EmbeddedPostgres(Options options);
  ~EmbeddedPostgres();  ///< stop()
  EmbeddedPostgres(const EmbeddedPostgres&) = delete;
  EmbeddedPostgres& operator=(const EmbeddedPostgres&) = delete;

  /// Makes the cluster if there is none, starts the server and waits until it answers. A server
  /// that a killed process left behind is stopped first. If another living process runs the server
  /// of this directory, we use that one, and stop() leaves it alone; when that process ends, we
  /// start it. A server that dies is started again. Throws metadata::Error: invalid with what to do
  /// about it, or unavailable.
  void start();

  /// libpq's connection string of the database; valid after start(), and the same for as long as
  /// this object lives (but where somebody takes the name of a socket folder meanwhile). Holds no
  /// secret. From any thread.
  std::string url() const;

  /// Stops the server if we started it: fast, then after 4 s at once. Does nothing if it is
  /// stopped.
  void stop();

  /// Whether the server that we started is running.
  bool is_running() const;

  /// The server's process; 0 if we run none.
  int pid() const;

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace metadata
