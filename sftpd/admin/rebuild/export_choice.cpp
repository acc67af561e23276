#include "sftpd/admin/rebuild/export_choice.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "metadata/dump/dump_loader.h"
#include "sftpd/admin/context.h"

namespace sftpd::admin::rebuild {
namespace {

using jobs::Manifest;
using jobs::StoredExport;

std::vector<StoredExport> whole_exports(storage::ObjectStore& store,
                                        const std::string& key_prefix) {
  auto all = jobs::list_exports(store, key_prefix);
  std::erase_if(all, [](const StoredExport& one) { return !one.has_manifest; });
  if (all.empty()) {
    throw Failure(fmt::format("the store has no metadata export below {}",
                              jobs::exports_directory(key_prefix)));
  }
  return all;
}

bool is_called(const StoredExport& one, const std::string& wanted) {
  return wanted == one.name() || wanted == one.directory || wanted == one.directory + "/" ||
         wanted == one.manifest().text;
}

std::string names(const std::vector<StoredExport>& exports) {
  std::string text;
  for (const StoredExport& one : exports) text += (text.empty() ? "" : ", ") + one.name();
  return text;
}

Manifest read(storage::ObjectStore& store, const StoredExport& one,
              const std::vector<StoredExport>& all) {
  try {
    return jobs::read_manifest(store, one);
  } catch (const std::runtime_error& failure) {
    throw Failure(fmt::format("the export {} cannot be used: {}. There are: {}; see --export",
                              one.name(), failure.what(), names(all)));
  }
}

/// Nothing if its manifest cannot be read.
std::string database_of(storage::ObjectStore& store, const StoredExport& one) {
  try {
    return jobs::read_manifest(store, one).head.database;
  } catch (const std::runtime_error&) {
    return {};
  }
}

/// Which of two databases was lost, no program can tell: a new one may have begun to export too.
void expect_one_database(storage::ObjectStore& store, const std::vector<StoredExport>& all,
                         const std::string& newest) {
  for (const StoredExport& one : all) {
    const std::string database = database_of(store, one);
    if (database.empty() || database == newest) continue;
    throw Failure(fmt::format(
        "the store has exports of more than one database: {}. Choose one by --export", names(all)));
  }
}

}  // namespace

ChosenExport choose_export(storage::ObjectStore& store, const std::string& key_prefix,
                           const std::string& wanted) {
  const auto all = whole_exports(store, key_prefix);
  std::optional<StoredExport> chosen;
  for (const StoredExport& one : all) {
    if (wanted.empty() || is_called(one, wanted)) chosen = one;
  }
  if (!chosen) {
    throw Failure(fmt::format("there is no whole export {}. There are: {}", wanted, names(all)));
  }
  Manifest manifest = read(store, *chosen, all);
  if (wanted.empty()) expect_one_database(store, all, manifest.head.database);
  if (!metadata::is_known_schema(manifest.head.schema)) {
    throw Failure(fmt::format("the export {} is of a newer version of Shoebox ({}): use that one",
                              chosen->name(), manifest.program));
  }
  return {std::move(*chosen), std::move(manifest)};
}

}  // namespace sftpd::admin::rebuild
