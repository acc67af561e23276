#include "metadata/migrations/obstacles.h"

#include "metadata/migrations/migrator.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

constexpr int server_version_min = 15;

constexpr Statement select_server{
    "obstacles_server",
    "SELECT current_setting('server_version_num')::integer, current_setting('server_version'),"
    " current_user, current_setting('transaction_read_only') = 'on',"
    " coalesce(quote_ident(current_schema()), ''),"
    " coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"};

// Our tables, views and functions, where schema_migrations is: other applications may have theirs
// beside them.
#define OUR_SCHEMA \
  "(SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_migrations'))"
#define OUR_TABLES                                                                              \
  "('accounts', 'account_usage', 'users', 'user_keys', 'nodes', 'node_successors', 'versions'," \
  " 'extents', 'objects', 'uploads', 'upload_parts')"
constexpr Statement select_foreign{
    "obstacles_foreign",
    "SELECT what, pg_get_userbyid(owner) FROM ("
    " SELECT 'table ' || c.relname AS what, c.relowner AS owner FROM pg_class c"
    " WHERE c.relnamespace = " OUR_SCHEMA " AND (c.relname IN " OUR_TABLES
    " OR c.relname IN ('account_totals', 'audit_events', 'schema_migrations'))"
    " UNION ALL"
    " SELECT 'function ' || p.proname, p.proowner FROM pg_proc p"
    " WHERE p.pronamespace = " OUR_SCHEMA
    " AND starts_with(p.proname, 'shoebox_')"
    ") AS ours WHERE NOT pg_has_role(owner, 'USAGE') ORDER BY what LIMIT 1"};
constexpr Statement select_closed{
    "obstacles_closed",
    "SELECT c.relname, quote_ident(n.nspname) FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relnamespace = " OUR_SCHEMA " AND c.relname IN " OUR_TABLES
    " AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')"
    " AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))"
    " ORDER BY c.relname LIMIT 1"};
#undef OUR_TABLES
#undef OUR_SCHEMA

void look_at_schema(const pqxx::row& server, std::vector<std::string>& found) {
  const auto role = server[2].as<std::string>();
  const auto schema = server[4].as<std::string>();
  if (schema.empty()) {
    found.push_back(
        "there is no schema that role " + role +
        " may use: as the database's owner, run GRANT USAGE, CREATE ON SCHEMA public TO " + role);
  } else if (!server[5].as<bool>()) {
    found.push_back("role " + role + " may not make tables in schema " + schema +
                    ": as the database's owner, run GRANT CREATE ON SCHEMA " + schema + " TO " +
                    role + ", or make the role the owner of the database");
  }
}

void look_at_owners(Transaction& tx, const std::string& role, std::vector<std::string>& found) {
  const auto foreign = tx.inner().run(select_foreign);
  if (foreign.empty()) return;
  const auto owner = foreign[0][1].as<std::string>();
  found.push_back(foreign[0][0].as<std::string>() + " belongs to role " + owner +
                  ", so that role " + role + " cannot change it: run 'shoebox migrate-schema' as " +
                  owner + ", or GRANT " + owner + " TO " + role);
}

void look_at_privileges(Transaction& tx, const std::string& role, std::vector<std::string>& found) {
  const auto closed = tx.inner().run(select_closed);
  if (closed.empty()) return;
  found.push_back(
      "role " + role + " may not read and write table " + closed[0][0].as<std::string>() +
      ": as its owner, run GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " +
      closed[0][1].as<std::string>() + " TO " + role);
}

std::vector<std::string> look(Transaction& tx, bool must_migrate) {
  std::vector<std::string> found;
  const auto rows = tx.inner().run(select_server);
  const auto& server = rows[0];
  const auto role = server[2].as<std::string>();
  if (!is_supported_server(server[0].as<int>())) {
    found.push_back("this is PostgreSQL " + server[1].as<std::string>() + ": Shoebox needs " +
                    std::to_string(server_version_min) + " or later");
  }
  if (server[3].as<bool>()) {
    found.push_back(
        "the database only reads: name the primary and not a standby, and see "
        "default_transaction_read_only");
  }
  if (must_migrate) {
    look_at_schema(server, found);
    look_at_owners(tx, role, found);
  } else {
    look_at_privileges(tx, role, found);
  }
  return found;
}

}  // namespace

bool is_supported_server(int version_number) {
  return version_number / 10'000 >= server_version_min;
}

std::vector<std::string> obstacles(Database& database) {
  const bool must_migrate = !pending(database).empty();
  return database.transact([&](Transaction& tx) { return look(tx, must_migrate); });
}

}  // namespace metadata
