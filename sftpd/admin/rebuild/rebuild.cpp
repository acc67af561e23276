#include "sftpd/admin/rebuild/rebuild.h"

#include <fmt/format.h>

#include <cstdio>

#include "metadata/dump/dump_loader.h"
#include "sftpd/admin/rebuild/export_choice.h"
#include "sftpd/admin/rebuild/export_files.h"
#include "sftpd/admin/rebuild/lost_and_found.h"

namespace sftpd::admin::rebuild {
namespace {

using metadata::Transaction;

/// Early, before anything large is read; the loader looks again, under a lock.
void expect_empty(metadata::Database& database) {
  if (database.transact([](Transaction& tx) { return metadata::has_rows(tx); })) {
    throw Failure(
        "the database is not empty: --rebuild only fills a new one, and changes nothing in one "
        "that is in use. Nothing was changed");
  }
}

void say(const std::string& line) {
  fmt::print("rebuild: {}\n", line);
  std::fflush(stdout);  // The next step may take a while.
}

Found restore(Transaction& tx, storage::ObjectStore& store, const ChosenExport& chosen,
              const std::string& key_prefix) {
  metadata::DumpLoader loader(tx);
  loader.begin(chosen.manifest.head.schema);
  read_rows(store, chosen,
            [&](const std::string& table, std::string_view rows) { loader.load(table, rows); });
  loader.finish(chosen.manifest.head);
  return LostAndFound(tx, store).collect(key_prefix);
}

void print(const Found& found) {
  if (found.files > 0) {
    say(
        fmt::format("{} objects that were stored after the export are now files in the directories "
                    "lost+found of their accounts",
                    found.files));
  }
  if (found.doubles > 0) {
    say(fmt::format("{} more have what their files contain anyway, and are left to the collector",
                    found.doubles));
  }
  if (found.unclaimed == 0) return;
  say(fmt::format("{} objects belong to no account of the export, and were left as they are:",
                  found.unclaimed));
  for (const std::string& key : found.unclaimed_keys) say("  " + key);
}

}  // namespace

void rebuild(Context& context, const std::string& wanted) {
  metadata::Database& database = context.backends().database();
  storage::ObjectStore& store = context.store();
  const std::string& prefix = context.options().key_prefix;
  expect_empty(database);
  const ChosenExport chosen = choose_export(store, prefix, wanted);
  const jobs::Manifest& manifest = chosen.manifest;
  say(fmt::format("the export {} of {}: {} rows in {} files", chosen.stored.name(), manifest.time,
                  manifest.rows(), manifest.files.size()));
  verify_files(store, chosen);
  say("its checksums are right");
  const Found found =
      database.transact([&](Transaction& tx) { return restore(tx, store, chosen, prefix); });
  say(fmt::format("restored {} users, {} files and directories, {} versions, {} objects",
                  manifest.rows_of("users"), manifest.rows_of("nodes"),
                  manifest.rows_of("versions"), manifest.rows_of("objects")));
  print(found);
}

}  // namespace sftpd::admin::rebuild
