#include "sftpd/machine_checks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "sftpd/metrics/endpoint.h"
#include "sftpd/process/file_limit.h"
#include "sftpd/ssh/address_check.h"
#include "sftpd/ssh/host_keys.h"
#include "sftpd/vfs/writing/scratch_file.h"

namespace sftpd {
namespace {

namespace fs = std::filesystem;

void append(std::string& list, const std::string& item) {
  list += (list.empty() ? "" : ", ") + item;
}

std::string check_host_keys(const std::vector<fs::path>& files) {
  std::string found;
  const ssh::HostKeys loaded = ssh::HostKeys::load(files);
  for (const ssh::HostKey& key : loaded.keys()) append(found, key.type + " " + key.fingerprint);
  return found;
}

std::string check_addresses(const std::vector<std::string>& addresses) {
  std::string found;
  for (const std::string& each : addresses) append(found, each + ": " + ssh::try_address(each));
  return found;
}

/// It is made at the first start, where there is none.
void expect_writable(const fs::path& directory) {
  fs::path there = directory;
  while (!fs::exists(there) && there.has_relative_path()) there = there.parent_path();
  if (!fs::is_directory(there)) {
    throw std::runtime_error(fmt::format("{} is not a directory", there.string()));
  }
  if (::access(there.c_str(), W_OK | X_OK) != 0) {
    throw std::runtime_error(
        fmt::format("{} cannot be written to by this user: {}", there.string(), strerror(errno)));
  }
}

std::string check_directories(const std::string& scratch, const fs::path& read_cache) {
  const vfs::ScratchFile probe(scratch);
  if (read_cache.empty()) return scratch;
  expect_writable(read_cache);
  return scratch + ", " + read_cache.string();
}

std::string check_file_limit(int connections_max) {
  // A socket each, and what databases, the store and scratch files need.
  const std::uint64_t needed = static_cast<std::uint64_t>(connections_max) + 256;
  const std::uint64_t limit = process::raise_file_limit();
  if (limit >= needed) return fmt::format("{} files may be open", limit);
  throw std::runtime_error(fmt::format(
      "only {} files may be open, but limits.connections_max = {} needs {}: raise LimitNOFILE of "
      "the service (or ulimit -n), or lower limits.connections_max",
      limit, connections_max, needed));
}

}  // namespace

std::vector<admin::Check> machine_checks(const ProgramOptions& options) {
  std::vector<admin::Check> checks = {
      {"host keys", [files = options.host_keys] { return check_host_keys(files); }},
      {"addresses", [listen = options.server.listen] { return check_addresses(listen); }},
      {"directories",
       [scratch = options.files.scratch_directory, cache = options.files.read_cache_directory] {
         return check_directories(scratch, cache);
       }},
      {"open files", [most = options.server.connections_max] { return check_file_limit(most); }},
  };
  if (!options.metrics_listen.empty()) {
    checks.push_back(
        {"metrics", [listen = options.metrics_listen] { return metrics::check_listen(listen); }});
  }
  return checks;
}

}  // namespace sftpd
