#include "sftpd/jobs/job_table.h"

#include "metadata/repositories/versions.h"

namespace sftpd::jobs {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// One transaction each, or a few store requests: a batch must not hold up the program's end.
constexpr int prune_batch_max = 200;
constexpr int destage_batch_max = 64;
constexpr int flatten_batch_max = 16;

Progress prune_versions(metadata::Database& database, seconds keep) {
  const int done = database.transact([&](metadata::Transaction& tx) {
    return metadata::Versions(tx).prune(keep, prune_batch_max);
  });
  return {.done = done, .more = done >= prune_batch_max};
}

Progress destage(vfs::FileSystem& files, seconds age) {
  const int done = files.destage(age, destage_batch_max);
  return {.done = done, .more = done >= destage_batch_max};
}

}  // namespace

std::vector<Job> job_table(vfs::FileSystem& files, const JobOptions& options) {
  auto& database = files.database();
  const auto finish = [&files](const std::stop_token& stop) {
    const auto finished = files.finish_interrupted_uploads(stop);
    return Progress{.done = finished.done, .more = finished.more, .failed = finished.failed};
  };
  const auto move = [&files, age = options.inline_age](const std::stop_token&) {
    return destage(files, age);
  };
  const auto prune = [&database, keep = options.version_keep](const std::stop_token&) {
    return prune_versions(database, keep);
  };
  const auto collect = [&files, how = options.collect](const std::stop_token& stop) {
    return collect_garbage(files.database(), files.store(), how, stop);
  };
  return {
      {"finish-interrupted-uploads", seconds{30}, finish},
      {"destage", seconds{15}, move},
      {"prune-versions", minutes{1}, prune},
      {"collect-garbage", minutes{5}, collect},
  };
}

std::vector<Job> long_job_table(vfs::FileSystem& files, const JobOptions& options,
                                ExportCounts& exports) {
  const auto flatten = [&files, quiet = options.flatten_after_quiet](const std::stop_token& stop) {
    const int done = files.flatten(quiet, flatten_batch_max, stop);
    return Progress{.done = done, .more = done >= flatten_batch_max};
  };
  std::vector<Job> jobs;
  if (options.flatten_after_quiet != seconds{0}) jobs.push_back({"flatten", seconds{30}, flatten});
  if (options.exports.every != seconds{0}) {
    jobs.push_back(export_job(files.database(), files.store(), options.exports, exports));
  }
  return jobs;
}

}  // namespace sftpd::jobs
