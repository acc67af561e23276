#include "metadata/migrations/migrator.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

#include "metadata/migrations/embedded.h"
#include "metadata/names/server_locks.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

constexpr Statement table_exists{"migrations_table_exists",
                                 "SELECT to_regclass('schema_migrations') IS NOT NULL"};
constexpr Statement select_applied{"migrations_applied",
                                   "SELECT name, sha256 FROM schema_migrations ORDER BY name"};
constexpr Statement insert_applied{"migrations_insert",
                                   "INSERT INTO schema_migrations (name, sha256) VALUES ($1, $2)"};

// 'SHBX' in ASCII, and which of our locks it is. Asked for again and again instead of waited for,
// so that who starts can be stopped.
constexpr Statement try_lock{"migrations_lock", "SELECT pg_try_advisory_xact_lock(1397244504, 1)"};
constexpr std::chrono::milliseconds lock_interval{100};
constexpr char create_table[] =
    "SET LOCAL statement_timeout = 0;"
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    " name text COLLATE \"C\" PRIMARY KEY,"
    " sha256 text COLLATE \"C\" NOT NULL,"
    " applied_at timestamptz NOT NULL DEFAULT now());"
    "COMMENT ON TABLE schema_migrations IS 'Steps of this schema that were applied, never undone.'";

std::map<std::string, std::string> applied_migrations(Transaction& tx) {
  std::map<std::string, std::string> applied;
  if (!tx.inner().run(table_exists)[0][0].as<bool>()) return applied;
  for (const auto& row : tx.inner().run(select_applied)) {
    applied.emplace(row[0].as<std::string>(), row[1].as<std::string>());
  }
  return applied;
}

void check_applied(const std::map<std::string, std::string>& applied) {
  const auto& known = embedded_migrations();
  for (const auto& entry : applied) {
    const auto& [name, sha256] = entry;
    const auto same_name = [&](const Migration& migration) {
      return migration.name == entry.first;
    };
    const auto found = std::find_if(known.begin(), known.end(), same_name);
    if (found == known.end()) {
      throw Error(ErrorCode::invalid, "the database has migration " + name +
                                          ", which this program does not know: the database is "
                                          "newer, run a newer program");
    }
    if (found->sha256 != sha256) {
      throw Error(ErrorCode::invalid, "migration " + name +
                                          " was applied with another content than this program's: "
                                          "a shipped migration must never be edited");
    }
  }
}

std::vector<const Migration*> missing_migrations(
    const std::map<std::string, std::string>& applied) {
  check_applied(applied);
  std::vector<const Migration*> missing;
  for (const auto& migration : embedded_migrations()) {
    if (applied.count(migration.name) == 0) missing.push_back(&migration);
  }
  if (!missing.empty() && !applied.empty() && missing.front()->name < applied.rbegin()->first) {
    throw Error(ErrorCode::invalid, "migration " + missing.front()->name +
                                        " is missing below an applied one: this database was "
                                        "migrated by another line of the program");
  }
  return missing;
}

/// Applies the first missing one, unless it comes after `last`; an empty name when there is none,
/// nothing while another process is at it.
std::optional<std::string> apply_next(Transaction& tx, const std::string& last) {
  if (!tx.inner().run(try_lock)[0][0].as<bool>()) return std::nullopt;
  tx.inner().script(create_table);
  const auto missing = missing_migrations(applied_migrations(tx));
  if (missing.empty() || (!last.empty() && missing.front()->name > last)) return "";
  tx.inner().script(distrust_names());  // It may change nodes.
  tx.inner().script(missing.front()->text);
  tx.inner().run(insert_applied, missing.front()->name, missing.front()->sha256);
  return missing.front()->name;
}

}  // namespace

std::vector<std::string> migrate(Database& database, Observer* observer) {
  std::vector<std::string> names;
  while (!pending(database).empty()) {
    const std::optional<std::string> name =
        database.transact([](Transaction& tx) { return apply_next(tx, {}); });
    if (!name) {
      database.pause(lock_interval);
      continue;
    }
    if (name->empty()) break;
    if (observer != nullptr) observer->migration_applied(*name);
    names.push_back(*name);
  }
  return names;
}

std::vector<std::string> migrate(const std::string& url, Observer* observer) {
  Database::Options options;
  options.url = url;
  options.connections_max = 1;
  Database database(options, observer);
  return migrate(database, observer);
}

void migrate_within(Transaction& transaction, const std::string& last) {
  while (true) {
    const auto name = apply_next(transaction, last);
    if (!name) throw Error(ErrorCode::conflict, "another process migrates the database");
    if (name->empty()) return;
  }
}

SchemaState schema_state(Database& database) {
  return database.transact([](Transaction& tx) {
    SchemaState state;
    const auto applied = applied_migrations(tx);
    state.empty = applied.empty();
    for (const auto* migration : missing_migrations(applied)) {
      state.pending.push_back(migration->name);
    }
    return state;
  });
}

std::vector<std::string> pending(Database& database) { return schema_state(database).pending; }

}  // namespace metadata
