#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sftpd/admin/backends.h"
#include "sftpd/jobs/collect_garbage.h"
#include "sftpd/jobs/exports/export_metadata.h"
#include "sftpd/vfs/filesystem.h"

namespace sftpd::admin {

/// A sentence for the person at the terminal; the program then exits with 1.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A thing that `check` tries. Returns what it found, in a few words; throws std::exception whose
/// text says what is wrong and how to mend it.
struct Check {
  std::string name;
  std::function<std::string()> run;
};

/// What the configuration file says to this room.
struct Options {
  BackendOptions backends;
  std::string key_prefix;  ///< of the objects' keys
  vfs::FileSystem::Options files;
  jobs::CollectOptions collect;
  jobs::ExportOptions exports;
  std::vector<std::string> warnings;  ///< of the settings: what works, but should not stay so
  std::vector<Check> checks;  ///< of parts that this room does not know: host keys, addresses
};

/// What a command works with. The configuration is read, and each part opened, at its first use.
class Context {
 public:
  using Load = std::function<Options(const std::string& config_file)>;

  /// `log_level` is empty unless the command line gives one.
  Context(std::string config_file, std::string log_level, Load load)
      : config_file_(std::move(config_file)),
        log_level_(std::move(log_level)),
        load_(std::move(load)) {}

  const std::string& config_file() const { return config_file_; }
  const std::string& log_level() const { return log_level_; }
  const Options& options();
  Backends& backends();
  /// With the tables of this version, which are made if there are none yet. Throws Failure if they
  /// are older: servers of their version may be running, so only a new one that starts, or
  /// `migrate-schema`, changes them.
  metadata::Database& database();
  storage::ObjectStore& store() { return backends().store(); }

 private:
  std::string config_file_;
  std::string log_level_;
  Load load_;
  std::optional<Options> options_;
  std::unique_ptr<Backends> backends_;
  bool schema_is_current_ = false;
};

}  // namespace sftpd::admin
