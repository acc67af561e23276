#include "metadata/dump/dump_loader.h"

#include <algorithm>

#include "metadata/migrations/embedded.h"
#include "metadata/migrations/migrator.h"
#include "metadata/names/server_locks.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

constexpr Statement table_exists{"dump_table_exists", "SELECT to_regclass($1) IS NOT NULL"};
constexpr Statement select_schema{"dump_schema", "SELECT max(name) FROM schema_migrations"};
constexpr Statement select_foreign_keys{
    "dump_foreign_keys",
    "SELECT c.conrelid::regclass, quote_ident(c.conname), pg_get_constraintdef(c.oid)"
    " FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
    " WHERE c.contype = 'f' AND t.relnamespace = current_schema()::regnamespace"
    " AND t.relname = ANY ($1::text[]) ORDER BY c.oid"};
constexpr Statement update_database{"dump_database",
                                    "UPDATE schema_migrations SET applied_at = shoebox_time($1)"
                                    " WHERE name = (SELECT min(name) FROM schema_migrations)"};
// What was given out after the dump was read may be in labels of objects, or somebody's memory.
constexpr Statement skip_ids{
    "dump_skip_ids",
    "SELECT setval(pg_get_serial_sequence(quote_ident($1), 'id'), $2::bigint + 1000000)"};
constexpr Statement select_identities{
    "dump_identities",
    "SELECT table_name FROM information_schema.columns WHERE table_schema = current_schema()"
    " AND table_name = ANY ($1::text[]) AND is_identity = 'YES' AND column_name = 'id'"};

constexpr char as_whole_tables_want_it[] =
    "SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on";

void expect_table(const std::string& table) {
  const auto known = dumped_tables();
  if (std::find(known.begin(), known.end(), table) == known.end()) {
    throw Error(ErrorCode::invalid, "the dump has a table that this program does not know");
  }
}

Error not_empty() {
  return Error(ErrorCode::invalid, "the database is not empty: rows of it would be mixed up");
}

}  // namespace

bool is_known_schema(const std::string& schema) {
  const auto& all = embedded_migrations();
  return std::any_of(all.begin(), all.end(),
                     [&](const Migration& migration) { return migration.name == schema; });
}

bool has_rows(Transaction& transaction) {
  auto& inner = transaction.inner();
  for (const std::string& table : dumped_tables()) {
    if (!inner.run(table_exists, table)[0][0].as<bool>()) continue;
    if (inner.script("SELECT EXISTS (SELECT FROM " + table + ")")[0][0].as<bool>()) return true;
  }
  return false;
}

void DumpLoader::begin(const std::string& schema) {
  auto& inner = transaction_.inner();
  inner.script(distrust_names());
  inner.script(as_whole_tables_want_it);
  migrate_within(transaction_, schema);
  if (inner.run(select_schema)[0][0].as<std::string>() != schema) {
    throw Error(ErrorCode::invalid,
                "the database's tables are those of a newer program than the dump's (" + schema +
                    "): give it a database without any tables");
  }
  inner.script("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE");
  if (has_rows(transaction_)) throw not_empty();
  drop_foreign_keys();
}

void DumpLoader::load(const std::string& table, std::string_view rows) {
  expect_table(table);
  const std::string name = "dump_load_" + table;
  const std::string sql = "INSERT INTO " + table +
                          " SELECT * FROM json_populate_recordset(NULL::" + table + ", $1::json)";
  transaction_.inner().run(Statement{name.c_str(), sql.c_str()}, std::string(rows));
}

void DumpLoader::finish(const DumpHead& head) {
  auto& inner = transaction_.inner();
  restore_foreign_keys();
  for (const DumpedSequence& sequence : head.sequences) {
    expect_table(sequence.table);
    inner.run(skip_ids, sequence.table, sequence.last);
  }
  pass_ids(transaction_);
  migrate_within(transaction_, {});
  inner.run(update_database, head.database);
  for (const std::string& table : dumped_tables()) inner.script("ANALYZE " + table);
}

void DumpLoader::drop_foreign_keys() {
  auto& inner = transaction_.inner();
  for (const auto& row : inner.run(select_foreign_keys, array_of(dumped_tables()))) {
    foreign_keys_.push_back(
        {row[0].as<std::string>(), row[1].as<std::string>(), row[2].as<std::string>()});
  }
  for (const ForeignKey& key : foreign_keys_) {
    inner.script("ALTER TABLE " + key.table + " DROP CONSTRAINT " + key.name);
  }
}

void DumpLoader::restore_foreign_keys() {
  for (const ForeignKey& key : foreign_keys_) {
    transaction_.inner().script("ALTER TABLE " + key.table + " ADD CONSTRAINT " + key.name + " " +
                                key.definition);
  }
}

void pass_ids(Transaction& transaction) {
  auto& inner = transaction.inner();
  for (const auto& row : inner.run(select_identities, array_of(dumped_tables()))) {
    const std::string table = row[0].as<std::string>();
    inner.script("SELECT setval(pg_get_serial_sequence('" + table +
                 "', 'id'), greatest(nextval(pg_get_serial_sequence('" + table +
                 "', 'id')), (SELECT max(id) FROM " + table + ")))");
  }
}

}  // namespace metadata
