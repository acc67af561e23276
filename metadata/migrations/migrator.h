#pragma once

#include <string>
#include <vector>

#include "metadata/database.h"
#include "metadata/observer.h"

namespace metadata {

/// Brings the schema up to what this program was built with: each missing migration in one
/// transaction of its own, under an advisory lock, so that several processes may call it at once.
/// Forward only. Returns the names of those applied now, in order.
/// Throws invalid if an applied migration differs from ours (someone edited a shipped one) or if
/// the database has one that we do not know (it is newer than this program).
std::vector<std::string> migrate(Database& database, Observer* observer = nullptr);

/// The same with a connection of its own.
std::vector<std::string> migrate(const std::string& url, Observer* observer = nullptr);

/// As migrate(), all in the running `transaction`, up to and with the one called `last`; empty:
/// all. For who fills a new database. Throws conflict if another process is migrating.
void migrate_within(Transaction& transaction, const std::string& last);

struct SchemaState {
  bool empty = true;                 ///< no migration was applied yet: nobody uses this database
  std::vector<std::string> pending;  ///< what migrate() would apply
};

/// How far the schema is; changes nothing. Throws as migrate() does.
SchemaState schema_state(Database& database);
/// The migrations that migrate() would apply.
std::vector<std::string> pending(Database& database);

}  // namespace metadata
