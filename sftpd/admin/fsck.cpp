#include <fmt/format.h>

#include <CLI/App.hpp>
#include <chrono>
#include <memory>

#include "metadata/repositories/consistency.h"
#include "metadata/repositories/objects.h"
#include "sftpd/admin/commands.h"
#include "sftpd/admin/fsck/database_scan.h"
#include "sftpd/admin/fsck/report.h"
#include "sftpd/admin/fsck/store_scan.h"
#include "sftpd/admin/rebuild/rebuild.h"
#include "sftpd/jobs/collect_garbage.h"

namespace sftpd::admin {
namespace {

using fsck::Kind;
using fsck::Report;

struct Arguments {
  bool checksum = false;
  bool repair = false;
  int delete_unknown_days = 0;
  bool rebuild = false;
  std::string export_key;
};

/// Looks without holding anybody up, then mends what it found; as often as there was more.
int repair_rows(metadata::Database& database) {
  using metadata::Consistency;
  using metadata::Transaction;
  constexpr int page_max = 10'000;  // of each kind
  int mended = 0;
  while (true) {
    const auto found = database.transact(
        [](Transaction& tx) { return Consistency(tx).find_repairable(page_max); });
    const int now =
        database.transact([&](Transaction& tx) { return Consistency(tx).repair(found); });
    mended += now;
    if (now == 0 || found.size() < page_max) return mended;
  }
}

/// What a repair may do without being able to lose anything: rows that can be computed from others,
/// and what the collector would do anyway. Objects that are missing or damaged need a backup;
/// unknown ones are only deleted when asked for by name (--delete-unknown).
void repair(Context& context) {
  fmt::print("repair: {} rows put right\n", repair_rows(context.database()));
  int deleted = 0;
  jobs::Progress progress{.done = 0, .more = true};
  while (progress.more) {
    progress = jobs::collect_garbage(context.database(), context.store(), context.options().collect,
                                     std::stop_token());
    deleted += progress.done;
  }
  fmt::print("repair: {} objects collected\n", deleted);
}

/// After a database was restored from a backup, every newer object looks unknown, and is the only
/// copy of somebody's file. So a store in which much is unknown is not touched.
void delete_unknown(Context& context, const Report& report,
                    const std::vector<storage::ObjectKey>& old) {
  if (report.count(Kind::key_unknown) * 10 > report.objects()) {
    throw Failure(
        "more than a tenth of the objects is unknown: this looks like another database, or one "
        "restored from a backup. Nothing was deleted");
  }
  for (const auto& key : old) context.store().remove(key).get();
  fmt::print("deleted {} unknown objects\n", old.size());
}

void print_summary(const Report& report) {
  fmt::print("{} objects checked", report.objects());
  if (const auto waiting = report.count(Kind::waiting)) {
    fmt::print(", {} more are reserved, being uploaded, or wait for the collector", waiting);
  }
  fmt::print("\n");
  const std::pair<Kind, const char*> lines[] = {
      {Kind::object_missing, "missing in the store: restore them from a backup of the bucket"},
      {Kind::object_size, "of the wrong size: restore them from a backup of the bucket"},
      {Kind::object_damaged, "damaged: restore them from a backup of the bucket"},
      {Kind::object_unreadable, "not checked, since the store failed: run fsck again"},
      {Kind::key_unknown, "unknown to the database: see --delete-unknown"},
      {Kind::rows_contradict, "contradictions in the database: see --repair"},
  };
  for (const auto& [kind, text] : lines) {
    if (const auto count = report.count(kind)) fmt::print("{} {}\n", count, text);
  }
  fmt::print("{}\n", report.problems() == 0 ? "clean" : "not clean");
}

Report scan(Context& context, const Arguments& arguments, std::vector<storage::ObjectKey>& old) {
  Report report([](const std::string& line) { fmt::print("{}\n", line); });
  fsck::check_rows(context.database(), report);
  fsck::check_objects(context.database(), context.store(),
                      {.read_contents = arguments.checksum, .repair = arguments.repair}, report);
  old = fsck::find_unknown(context.database(), context.store(), context.options().key_prefix,
                           std::chrono::days{arguments.delete_unknown_days}, report);
  return report;
}

int run(Context& context, const Arguments& arguments) {
  if (arguments.rebuild) rebuild::rebuild(context, arguments.export_key);
  if (arguments.repair) repair(context);
  std::vector<storage::ObjectKey> old;
  const Report report = scan(context, arguments, old);
  print_summary(report);
  if (arguments.delete_unknown_days > 0) delete_unknown(context, report, old);
  return report.problems() == 0 ? 0 : 1;
}

}  // namespace

Action declare_fsck(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_flag("--checksum", arguments->checksum, "Also read every object and verify its SHA-256");
  app.add_flag("--repair", arguments->repair,
               "Put right what can be computed, and collect what is waiting, before checking; with "
               "--checksum also remember what is damaged, or is no longer");
  auto* delete_unknown = app.add_option("--delete-unknown", arguments->delete_unknown_days,
                                        "Delete unknown objects that are older than so many days")
                             ->check(CLI::Range(1, 36'500));
  auto* rebuild = app.add_flag("--rebuild", arguments->rebuild,
                               "Fill an empty database from the last metadata export in the store, "
                               "and with what was stored since, before checking");
  rebuild->excludes(delete_unknown);  // What nobody could be given is all that is left of it.
  app.add_option("--export", arguments->export_key, "The export to rebuild from, by its key")
      ->needs(rebuild);
  return [arguments](Context& context) { return run(context, *arguments); };
}

}  // namespace sftpd::admin
