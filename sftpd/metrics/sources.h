#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sftpd/jobs/exports/export_metadata.h"
#include "sftpd/jobs/scheduler.h"
#include "sftpd/limits/bandwidth.h"
#include "sftpd/metrics/backend_counts.h"
#include "sftpd/metrics/connection_counts.h"
#include "sftpd/sftp/request_counts.h"
#include "sftpd/vfs/filesystem.h"
#include "storage/s3/s3_object_store.h"

namespace sftpd::metrics {

/// Where the numbers are. All must outlive whoever reads them, and may be read from any thread.
struct Sources {
  std::string version;  ///< of the program
  const ConnectionCounts& connections;
  const sftp::RequestCounts& requests;
  vfs::FileSystem& files;
  const limits::Bandwidth& bandwidth;
  std::vector<std::shared_ptr<const jobs::JobCounts>> jobs;
  const jobs::ExportCounts& exports;
  const DatabaseCounts& database;
  const StoreCounts& store;
  const storage::s3::S3ObjectStore* s3;  ///< null with a local directory
};

}  // namespace sftpd::metrics
