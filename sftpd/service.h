#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "sftpd/log/backend_observers.h"
#include "sftpd/metrics/backend_counts.h"
#include "sftpd/program_options.h"

namespace sftpd {

/// Everything that serves clients, put together: file system, jobs, authenticator, SSH server.
/// Used by the main thread.
class Service {
 public:
  /// What backends tell, counted and logged.
  struct BackendCounts {
    log::DatabaseLog database_log;
    log::StoreLog store_log;
    metrics::DatabaseCounts database{database_log};
    metrics::StoreCounts store{store_log};
  };

  /// `backends` and their `counts` must outlive it; the database has the tables of this version.
  Service(const ProgramOptions& options, admin::Backends& backends, const BackendCounts& counts);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// Begins to listen, for clients and for who asks for metrics. Throws std::runtime_error.
  void listen();
  /// Lets clients in.
  void start();
  std::vector<std::uint16_t> ports() const;

  /// Takes over what can change while it runs: bandwidth. From any thread.
  void follow(const ProgramOptions& options);

  /// Ends connections, waits a while for what they left behind, then ends the rest.
  void stop();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Starts the log at the level of the command line, else at the given one.
void start_log(const admin::Context& context, const std::string& level);

/// What a program does besides serving. Each may be empty.
struct ServiceHooks {
  /// The ports are ours, so that little is left that could go wrong; clients wait.
  std::function<void(admin::Backends& backends)> before_start;
  std::function<void(const Service& service)> after_start;
  /// Reads the settings again at SIGHUP: log level and what Service::follow() takes over. May
  /// throw. Empty: SIGHUP ends the program.
  std::function<ProgramOptions()> reload;
};

/// Serves until SIGINT or SIGTERM, then ends everything within 5 seconds, also while it still
/// starts. Returns the exit status. Call it from the main thread before any other thread was
/// started.
int serve_until_stopped(const ProgramOptions& options, const ServiceHooks& hooks);

}  // namespace sftpd
