#pragma once

#include <string>

#include "sftpd/admin/context.h"
#include "sftpd/config/settings.h"
#include "sftpd/jobs/job_table.h"
#include "sftpd/limits/bandwidth.h"
#include "sftpd/ssh/server.h"
#include "sftpd/vfs/filesystem.h"

namespace sftpd {

/// The options of every part, from one configuration.
struct ProgramOptions {
  admin::BackendOptions backends;
  vfs::FileSystem::Options files;
  jobs::JobOptions jobs;
  ssh::ServerOptions server;  ///< without host keys and programs, which need work first
  limits::BandwidthOptions bandwidth;
  std::vector<std::filesystem::path> host_keys;
  std::string metrics_listen;  ///< empty: no metrics
  std::string log_level;
  std::vector<std::string> warnings;  ///< for the log, once there is one
};

/// Reads the secrets that the settings name. Throws config::Error.
ProgramOptions options_from(const config::Settings& settings);

/// What the administrator's commands need of it.
admin::Options admin_options(const ProgramOptions& options);

}  // namespace sftpd
