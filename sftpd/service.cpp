#include "sftpd/service.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <random>
#include <utility>

#include "sftpd/auth/authenticator.h"
#include "sftpd/exec/programs.h"
#include "sftpd/jobs/follow_rates.h"
#include "sftpd/jobs/scheduler.h"
#include "sftpd/limits/bandwidth.h"
#include "sftpd/log/log.h"
#include "sftpd/metrics/endpoint.h"
#include "sftpd/process/file_limit.h"
#include "sftpd/process/memory.h"
#include "sftpd/process/service_manager.h"
#include "sftpd/process/stop_signals.h"
#include "sftpd/vfs/vfs.h"
#include "sftpd/vfs/writing/memory_pool.h"

namespace sftpd {
namespace {

// All of stopping takes 5 seconds at most. What connections left behind gets a part of it; uploads
// that do not make it are finished at the next start from the parts that the store has.
constexpr std::chrono::milliseconds drain_max{2000};
// Then nobody waits for the store any more: what is left of the 5 seconds is for the rest.
constexpr std::chrono::milliseconds store_grace{2500};
constexpr std::chrono::milliseconds stop_max{4500};

sftp::Options sftp_options(const ssh::SessionInfo& session, sftp::RequestCounts& counts) {
  sftp::Options options;
  options.counts = &counts;
  options.symlink_link_first = session.symlink_link_first;
  return options;
}

ssh::ProgramFactory program_factory(vfs::FileSystem& files, sftp::RequestCounts& counts) {
  return [&files, &counts](const auth::Login& login, const ssh::SessionInfo& session,
                           const ssh::ChannelRequest& request,
                           ByteStream& stream) -> std::unique_ptr<ChannelProgram> {
    vfs::Identity identity{login.account, login.user, login.name, login.uid, login.gid};
    exec::Client client{.files = std::make_unique<vfs::Vfs>(files, std::move(identity)),
                        .stream = stream,
                        .sftp_options = sftp_options(session, counts),
                        .channel = request.channel};
    if (request.kind == ssh::ChannelRequest::Kind::subsystem) {
      return exec::make_subsystem(request.text, std::move(client));
    }
    return exec::make_program(request.text, std::move(client));
  };
}

ssh::ServerOptions server_options(const ProgramOptions& options, vfs::FileSystem& files,
                                  sftp::RequestCounts& counts, limits::Bandwidth& bandwidth,
                                  ssh::ServerObserver& observer) {
  ssh::ServerOptions server = options.server;
  server.host_keys = ssh::HostKeys::load(options.host_keys);
  server.program_factory = program_factory(files, counts);
  server.bandwidth = &bandwidth;
  server.observer = &observer;
  // What clients may send ahead is memory for transfers too.
  server.reserve_memory = [&files](std::size_t bytes) { return files.memory().try_reserve(bytes); };
  server.release_memory = [&files](std::size_t bytes) { files.memory().release(bytes); };
  return server;
}

}  // namespace

// In the order in which they are built; what stands further down uses what stands above.
struct Service::Parts {
  Parts(const ProgramOptions& options, admin::Backends& backends, const BackendCounts& counts)
      : metrics_listen(options.metrics_listen),
        s3(backends.s3_store()),
        backend_counts(counts),
        files(backends.database(), backends.store(), options.files),
        bandwidth(options.bandwidth),
        scheduler(jobs::job_table(files, options.jobs), std::random_device()()),
        long_jobs(jobs::long_job_table(files, options.jobs, exports), std::random_device()()),
        rates({jobs::rates_job(backends.database(), bandwidth)}, std::random_device()()),
        authenticator(auth::users_of(backends.database()), {}),
        server(server_options(options, files, requests, bandwidth, connections), authenticator) {}

  void serve_metrics() {
    if (metrics_listen.empty()) return;
    metrics::Sources sources{.version = SHOEBOX_VERSION,
                             .connections = connections,
                             .requests = requests,
                             .files = files,
                             .bandwidth = bandwidth,
                             .jobs = {},
                             .exports = exports,
                             .database = backend_counts.database,
                             .store = backend_counts.store,
                             .s3 = s3};
    for (const jobs::Scheduler* some : {&scheduler, &long_jobs, &rates}) {
      for (const auto& job : some->counts()) sources.jobs.push_back(job);
    }
    endpoint = std::make_unique<metrics::Endpoint>(metrics_listen, std::move(sources));
    log::info("metrics", {{"address", metrics_listen}, {"port", endpoint->port()}});
  }

  const std::string metrics_listen;
  const storage::s3::S3ObjectStore* const s3;
  const BackendCounts& backend_counts;
  metrics::ConnectionCounts connections;
  sftp::RequestCounts requests;
  vfs::FileSystem files;
  limits::Bandwidth bandwidth;
  jobs::ExportCounts exports;
  jobs::Scheduler scheduler;
  jobs::Scheduler long_jobs;
  jobs::Scheduler rates;  ///< its own: the others may be waiting for the store
  auth::Authenticator authenticator;
  ssh::Server server;
  std::unique_ptr<metrics::Endpoint> endpoint;  ///< may be null
};

Service::Service(const ProgramOptions& options, admin::Backends& backends,
                 const BackendCounts& counts)
    : parts_(std::make_unique<Parts>(options, backends, counts)) {}

Service::~Service() { stop(); }

void Service::listen() {
  parts_->serve_metrics();
  parts_->server.listen();
}

void Service::start() { parts_->server.start(); }

std::vector<std::uint16_t> Service::ports() const { return parts_->server.ports(); }

void Service::follow(const ProgramOptions& options) { parts_->bandwidth.change(options.bandwidth); }

void Service::stop() {
  if (!parts_) return;
  parts_->scheduler.request_stop();
  parts_->long_jobs.request_stop();
  parts_->rates.request_stop();
  parts_->files.stop_waiting_for_store(store_grace);
  parts_->server.stop();
  parts_->files.drain(drain_max);
  parts_.reset();
}

void start_log(const admin::Context& context, const std::string& level) {
  const std::string& chosen = context.log_level().empty() ? level : context.log_level();
  log::start(log::Options::from_environment(log::parse_level(chosen)));
}

namespace {

/// Settings that cannot be used change nothing.
void reload(const ServiceHooks& hooks, Service& service) {
  try {
    const ProgramOptions options = hooks.reload();
    service.follow(options);
    log::info("settings reloaded", {{"log_level", options.log_level}});
    log::set_level(log::parse_level(options.log_level));
  } catch (const std::exception& failure) {
    log::error("settings not reloaded", {{"reason", failure.what()}});
  }
}

/// The signal that ends the program.
int await_stop(process::StopSignals& signals, const ServiceHooks& hooks, Service& service) {
  int signal = signals.wait();
  for (; signal == SIGHUP; signal = signals.wait()) reload(hooks, service);
  return signal;
}

void log_stopping(int signal) {
  log::info("stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
}

/// A private cluster notices by itself. What was not committed is not promised to anybody.
[[noreturn]] void stop_by_force() {
  log::warning("stopped by force", {{"reason", "a second signal, or it took too long"}});
  ::_exit(1);
}

std::unique_ptr<Service> start(const ProgramOptions& options, const ServiceHooks& hooks,
                               admin::Backends& backends, const Service::BackendCounts& counts) {
  backends.migrated_database().begin_serving();
  auto service = std::make_unique<Service>(options, backends, counts);
  service->listen();
  if (hooks.before_start) hooks.before_start(backends);
  service->start();
  process::notify_ready();
  if (hooks.after_start) hooks.after_start(*service);
  return service;
}

}  // namespace

int serve_until_stopped(const ProgramOptions& options, const ServiceHooks& hooks) {
  using Hangups = process::StopSignals::Hangups;
  process::StopSignals signals(hooks.reload ? Hangups::awaited : Hangups::untouched);
  process::raise_file_limit();
  process::return_memory_early();
  for (const std::string& warning : options.warnings)
    log::warning("settings", {{"reason", warning}});

  Service::BackendCounts counts;
  admin::BackendOptions backend_options = options.backends;
  backend_options.database_observer = &counts.database;
  backend_options.store_observer = &counts.store;
  process::StartSignals starting(stop_max, stop_by_force);
  backend_options.give_up = starting.token();
  admin::Backends backends(std::move(backend_options));
  std::unique_ptr<Service> service;
  try {
    service = start(options, hooks, backends, counts);
  } catch (const std::exception&) {
    if (starting.signal() == 0) throw;
    log_stopping(starting.signal());
    backends.close();
    log::info("stopped");
    return 0;
  }

  int signal = starting.finish();
  if (signal == 0) signal = await_stop(signals, hooks, *service);
  log_stopping(signal);
  process::notify_stopping();
  const process::StopDeadline deadline(stop_max, stop_by_force);
  service->stop();
  backends.close();
  log::info("stopped");
  return 0;
}

}  // namespace sftpd
