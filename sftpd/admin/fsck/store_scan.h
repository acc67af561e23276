#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "metadata/database.h"
#include "sftpd/admin/fsck/report.h"
#include "storage/object_store.h"

namespace sftpd::admin::fsck {

/// Lists the store's objects below `prefix`/v1/ and reports those that the database does not know.
/// Every object has its row before its first byte, so an unknown one is somebody else's, or of a
/// database that this one is not: another's, or a newer one than the backup restored here.
/// Returns the unknown ones that are older than `age`.
std::vector<storage::ObjectKey> find_unknown(metadata::Database& database,
                                             storage::ObjectStore& store, const std::string& prefix,
                                             std::chrono::seconds age, Report& report);

}  // namespace sftpd::admin::fsck
