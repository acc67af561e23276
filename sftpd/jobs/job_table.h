#pragma once

#include <chrono>
#include <vector>

#include "sftpd/jobs/collect_garbage.h"
#include "sftpd/jobs/scheduler.h"
#include "sftpd/vfs/filesystem.h"

namespace sftpd::jobs {

struct JobOptions {
  CollectOptions collect;
  /// How long replaced and removed contents are kept.
  std::chrono::seconds version_keep{std::chrono::days{7}};
  /// How long small contents stay in the database before they move to the store.
  std::chrono::seconds inline_age{30};
};

/// Every job there is. `files` must outlive the scheduler they run in.
std::vector<Job> job_table(vfs::FileSystem& files, const JobOptions& options);

}  // namespace sftpd::jobs
