#include "sftpd/jobs/exports/export_metadata.h"

#include <fmt/format.h>

#include "sftpd/admin/commands.h"

namespace sftpd::admin {
namespace {

int print(const jobs::Exported& exported) {
  fmt::print("{} rows in {} bytes, in {:.1f} s: {}\n", exported.rows, exported.size_bytes,
             exported.took.count(), exported.directory);
  return 0;
}

int print(jobs::NoExport reason) {
  if (reason == jobs::NoExport::busy) {
    throw Failure("another process is writing an export just now");
  }
  if (reason == jobs::NoExport::newer_schema) {
    throw Failure("the database is newer than this program: run a newer one");
  }
  throw Failure("the database has no accounts: there is nothing to export");
}

}  // namespace

Action declare_export_metadata(CLI::App& /*app*/) {
  return [](Context& context) {
    const auto outcome = jobs::export_metadata(context.database(), context.store(),
                                               context.options().exports, true, std::stop_token());
    return std::visit([](const auto& what) { return print(what); }, outcome);
  };
}

}  // namespace sftpd::admin
