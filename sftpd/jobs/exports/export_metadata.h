#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <variant>

#include "metadata/database.h"
#include "sftpd/counters.h"
#include "sftpd/jobs/scheduler.h"
#include "storage/object_store.h"

namespace sftpd::jobs {

struct ExportOptions {
  /// How old the last export may become; 0: none are made, except by command.
  std::chrono::seconds every{std::chrono::hours{24}};
  int keep = 3;                               ///< whole exports of this database that stay
  std::string key_prefix;                     ///< of all keys in the store
  std::string program = "unknown";            ///< version, for the manifest
  std::uint64_t file_size_max = 16ULL << 20;  ///< about; of one file
};

/// What came of exports, for metrics. Of this process.
struct ExportCounts {
  Counter written;
  Counter failed;
  std::atomic<std::int64_t> last_at{0};  ///< of the last one, as the next; seconds since 1970
  std::atomic<std::uint64_t> last_rows{0};
  std::atomic<std::uint64_t> last_bytes{0};
  std::atomic<double> last_seconds{0};
};

/// What an export was.
struct Exported {
  std::string directory;  ///< of its keys
  std::uint64_t rows = 0;
  std::uint64_t size_bytes = 0;
  std::chrono::duration<double> took{0};
};

/// Why there was none.
enum class NoExport {
  not_due,       ///< the last one is young enough
  busy,          ///< another process is writing one
  newer_schema,  ///< another program migrated the database: this one does not know all of it
  no_users,      ///< a database without accounts has nothing to lose, and must not push out others
  stopped,
};

using ExportOutcome = std::variant<Exported, NoExport>;

/// Writes all metadata, as it is at one moment, into the store, if the last export of this database
/// is older than `every` or `now` is wished; then deletes what is too much. Password hashes are in
/// it: whoever reads the store can read them. Logs what it did. Throws metadata::Error,
/// storage::Error.
ExportOutcome export_metadata(metadata::Database& database, storage::ObjectStore& store,
                              const ExportOptions& options, bool now, const std::stop_token& stop);

/// The same again and again; `options.every` must not be 0. All must outlive it.
Job export_job(metadata::Database& database, storage::ObjectStore& store,
               const ExportOptions& options, ExportCounts& counts);

}  // namespace sftpd::jobs
