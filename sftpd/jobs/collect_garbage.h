#pragma once

#include <chrono>
#include <stop_token>

#include "metadata/database.h"
#include "sftpd/jobs/scheduler.h"
#include "storage/object_store.h"

namespace sftpd::jobs {

struct CollectOptions {
  /// How long an object stays in the store after nothing refers to it: for readers that have loaded
  /// its key, and for a database that is restored from a backup, which refers to it again. Uploads
  /// that were given up go at once.
  std::chrono::seconds keep_dead{std::chrono::days{7}};
  /// How long after the end of an upload's lease its bytes may still arrive: the longest request to
  /// the store (completing a large upload).
  std::chrono::seconds grace{std::chrono::minutes{20}};
  /// Objects in a batch, deleted at the same time.
  int batch_max = 32;
};

/// Deletes one batch of objects that nothing refers to any more.
///
/// The order makes every crash and every other node harmless: the rows are claimed (`reaping`) and
/// that is committed; then the uploads of exactly this key are aborted and the object is deleted;
/// only when the store says that it is gone, the row becomes `gone`. A row that is not finished
/// stays `reaping` and is claimed again. Bucket listings are never a reason to delete.
Progress collect_garbage(metadata::Database& database, storage::ObjectStore& store,
                         const CollectOptions& options, const std::stop_token& stop);

}  // namespace sftpd::jobs
