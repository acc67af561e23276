#include "sftpd/jobs/exports/export_metadata.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "metadata/dump/dump_reader.h"
#include "metadata/migrations/embedded.h"
#include "sftpd/jobs/exports/catalog.h"
#include "sftpd/jobs/exports/export_writer.h"
#include "sftpd/log/log.h"

namespace sftpd::jobs {
namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;

// What an interrupted one left, once nobody can be writing it any more.
constexpr std::chrono::hours abandoned_after{24};

struct Stopped {};

/// Whole exports of this database, the oldest first. One whose manifest cannot be read is nobody's.
std::vector<StoredExport> exports_of(const std::string& database, storage::ObjectStore& store,
                                     const std::vector<StoredExport>& all) {
  std::vector<StoredExport> ours;
  for (const StoredExport& one : all) {
    if (!one.has_manifest) continue;
    try {
      if (read_manifest(store, one).head.database == database) ours.push_back(one);
    } catch (const std::runtime_error& failure) {
      log::warning("a metadata export cannot be read",
                   {{"key", one.manifest().text}, {"reason", failure.what()}});
    }
  }
  return ours;
}

bool is_due(const std::vector<StoredExport>& ours, const ExportOptions& options) {
  if (ours.empty()) return true;
  const auto last = ours.back().begun();
  return !last || system_clock::now() - *last >= options.every;
}

/// A failure is seen again at the next export.
void remove_quietly(storage::ObjectStore& store, const StoredExport& which) {
  try {
    remove_export(store, which);
    log::info("old metadata export deleted", {{"key", which.directory}});
  } catch (const storage::Error& failure) {
    log::warning("old metadata export not deleted yet",
                 {{"key", which.directory}, {"reason", failure.what()}});
  }
}

/// Throws storage::Error.
void remove_old(const std::string& database, storage::ObjectStore& store,
                const ExportOptions& options) {
  const auto all = list_exports(store, options.key_prefix);
  auto ours = exports_of(database, store, all);
  const std::size_t keep = static_cast<std::size_t>(std::max(1, options.keep));
  for (std::size_t i = 0; i + keep < ours.size(); ++i) remove_quietly(store, ours[i]);
  for (const StoredExport& one : all) {
    const auto begun = one.begun();
    if (!one.has_manifest && begun && system_clock::now() - *begun > abandoned_after) {
      remove_quietly(store, one);
    }
  }
}

/// All rows, then the manifest.
Manifest write_all(metadata::DumpReader& reader, ExportWriter& writer, Manifest manifest,
                   const std::stop_token& stop) {
  for (const metadata::DumpedRows& rows : metadata::dumped_rows()) {
    const std::string table = rows.table;
    reader.read(rows, [&](std::string_view row) {
      if (stop.stop_requested()) throw Stopped{};
      writer.add(table, row);
    });
  }
  writer.finish(manifest);
  return manifest;
}

/// One attempt, inside of the transaction that it reads from. Nothing of an earlier one is of use.
std::variant<Manifest, NoExport> attempt(metadata::Transaction& tx, storage::ObjectStore& store,
                                         const ExportOptions& options, bool now,
                                         const std::stop_token& stop, std::string& directory) {
  metadata::DumpReader reader(tx);
  if (!reader.try_lock()) return NoExport::busy;
  if (!reader.has_accounts()) return NoExport::no_users;
  Manifest manifest{.time = {}, .program = options.program, .head = reader.head(), .files = {}};
  if (manifest.head.schema != metadata::embedded_migrations().back().name) {
    return NoExport::newer_schema;
  }
  if (!now &&
      !is_due(exports_of(manifest.head.database, store, list_exports(store, options.key_prefix)),
              options)) {
    return NoExport::not_due;
  }
  const auto begun = system_clock::now();
  manifest.time = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(system_clock::to_time_t(begun)));
  directory = exports_directory(options.key_prefix) + new_export_name(begun);
  ExportWriter writer(store, directory, options.file_size_max);
  return write_all(reader, writer, std::move(manifest), stop);
}

void count(ExportCounts& counts, const Exported& exported) {
  counts.written.add();
  counts.last_at = system_clock::to_time_t(system_clock::now());
  counts.last_rows = exported.rows;
  counts.last_bytes = exported.size_bytes;
  counts.last_seconds = exported.took.count();
}

}  // namespace

ExportOutcome export_metadata(metadata::Database& database, storage::ObjectStore& store,
                              const ExportOptions& options, bool now, const std::stop_token& stop) {
  const auto begun = steady_clock::now();
  std::string directory;
  std::variant<Manifest, NoExport> outcome;
  try {
    outcome = database.transact([&](metadata::Transaction& tx) {
      return attempt(tx, store, options, now, stop, directory);
    });
  } catch (const Stopped&) {
    return NoExport::stopped;
  }
  if (const auto* none = std::get_if<NoExport>(&outcome)) return *none;
  const auto& manifest = std::get<Manifest>(outcome);
  const Exported exported{.directory = directory,
                          .rows = manifest.rows(),
                          .size_bytes = manifest.size_bytes(),
                          .took = steady_clock::now() - begun};
  log::info("metadata exported", {{"key", exported.directory},
                                  {"rows", exported.rows},
                                  {"bytes", exported.size_bytes},
                                  {"seconds", exported.took.count()}});
  try {
    remove_old(manifest.head.database, store, options);
  } catch (const storage::Error& failure) {
    log::warning("old metadata exports not looked for", {{"reason", failure.what()}});
  }
  return exported;
}

Job export_job(metadata::Database& database, storage::ObjectStore& store,
               const ExportOptions& options, ExportCounts& counts) {
  // It asks far more often whether one is due, so that restarts and other servers do not matter.
  const auto interval = std::clamp<std::chrono::milliseconds>(
      options.every / 10, std::chrono::milliseconds{500}, std::chrono::minutes{10});
  const auto run = [&database, &store, options, &counts](const std::stop_token& stop) {
    try {
      const auto outcome = export_metadata(database, store, options, false, stop);
      const auto* exported = std::get_if<Exported>(&outcome);
      if (exported != nullptr) count(counts, *exported);
      return Progress{.done = exported != nullptr ? 1 : 0};
    } catch (const std::exception&) {
      counts.failed.add();
      throw;
    }
  };
  return {.name = "export-metadata", .interval = interval, .run = run};
}

}  // namespace sftpd::jobs
