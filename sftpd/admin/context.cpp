#include "sftpd/admin/context.h"

#include <fmt/format.h>

#include "metadata/migrations/migrator.h"

namespace sftpd::admin {

const Options& Context::options() {
  if (!options_) options_ = load_(config_file_);
  return *options_;
}

Backends& Context::backends() {
  if (!backends_) backends_ = std::make_unique<Backends>(options().backends);
  return *backends_;
}

metadata::Database& Context::database() {
  metadata::Database& database = backends().database();
  if (schema_is_current_) return database;
  const metadata::SchemaState state = metadata::schema_state(database);
  if (!state.empty && !state.pending.empty()) {
    throw Failure(fmt::format(
        "the database's tables are {} step{} behind this program: start the new server, which "
        "brings "
        "them up to date, or run 'shoebox migrate-schema'; servers of the older version should "
        "have stopped by then",
        state.pending.size(), state.pending.size() == 1 ? "" : "s"));
  }
  if (!state.pending.empty()) metadata::migrate(database);
  schema_is_current_ = true;
  return database;
}

}  // namespace sftpd::admin
