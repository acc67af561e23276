#pragma once

#include <chrono>
#include <vector>

#include "sftpd/jobs/collect_garbage.h"
#include "sftpd/jobs/exports/export_metadata.h"
#include "sftpd/jobs/scheduler.h"
#include "sftpd/vfs/filesystem.h"

namespace sftpd::jobs {

struct JobOptions {
  CollectOptions collect;
  /// How long replaced and removed contents are kept.
  std::chrono::seconds version_keep{std::chrono::days{7}};
  /// How long small contents stay in the database before they move to the store.
  std::chrono::seconds inline_age{30};
  /// How long a file in several pieces keeps them after its last change; 0: for ever.
  std::chrono::seconds flatten_after_quiet{std::chrono::minutes{10}};
  ExportOptions exports{};
};

/// Every job whose batches are short. `files` must outlive the scheduler they run in.
std::vector<Job> job_table(vfs::FileSystem& files, const JobOptions& options);

/// Those that work on one large file, or on all rows, for minutes, for a scheduler of their own:
/// the others must not wait for them. They stop soon when asked to. `exports` must outlive it too.
std::vector<Job> long_job_table(vfs::FileSystem& files, const JobOptions& options,
                                ExportCounts& exports);

}  // namespace sftpd::jobs
