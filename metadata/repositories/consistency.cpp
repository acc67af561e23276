#include "metadata/repositories/consistency.h"

#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

constexpr Statement select_versions_missing{
    "consistency_versions",
    "SELECT n.account_id, n.id FROM nodes n"
    " LEFT JOIN versions v ON v.account_id = n.account_id AND v.id = n.version_id"
    " WHERE n.kind = 'file' AND coalesce(v.size, CASE WHEN n.version_id IS NULL THEN 0 END)"
    " IS DISTINCT FROM n.size LIMIT $1"};
constexpr Statement select_overlaps{
    "consistency_extents",
    "SELECT DISTINCT e.account_id, e.version_id FROM ("
    " SELECT account_id, version_id, file_offset, file_offset + length AS ends,"
    " lag(file_offset + length) OVER (PARTITION BY account_id, version_id ORDER BY file_offset)"
    " AS before FROM extents) e"
    " JOIN versions v ON v.account_id = e.account_id AND v.id = e.version_id"
    " WHERE e.before > e.file_offset OR e.ends > v.size LIMIT $1"};
constexpr Statement select_without_bytes{
    "consistency_objects",
    "SELECT DISTINCT e.account_id, e.version_id FROM extents e"
    " JOIN objects o ON o.account_id = e.account_id AND o.id = e.object_id"
    " WHERE o.state <> 'live' OR e.object_offset + e.length > o.size LIMIT $1"};
constexpr Statement select_unused{
    "consistency_unused",
    "SELECT o.account_id, o.id FROM objects o WHERE o.state = 'live' AND NOT EXISTS"
    " (SELECT 1 FROM extents e WHERE e.account_id = o.account_id AND e.object_id = o.id) LIMIT $1"};

#define SUMS_OF_ACCOUNTS                                                                       \
  "SELECT a.id AS account_id, coalesce(sum(n.size) FILTER (WHERE n.kind = 'file'), 0)::bigint" \
  " AS used_bytes, count(n.parent_id) AS files"                                                \
  " FROM accounts a LEFT JOIN nodes n ON n.account_id = a.id GROUP BY a.id"

constexpr Statement select_usage{
    "consistency_usage",
    "SELECT t.account_id, t.account_id FROM account_totals t"
    " JOIN (" SUMS_OF_ACCOUNTS
    ") s ON s.account_id = t.account_id"
    " WHERE t.used_bytes <> s.used_bytes OR t.files <> s.files LIMIT $1"};

// Publications and prunings change objects and extents together, so that the lock sees both or
// none.
constexpr Statement lock_tables{
    "consistency_lock",
    "LOCK TABLE nodes, objects, extents, account_usage IN SHARE ROW EXCLUSIVE MODE"};
constexpr Statement update_unused{
    "consistency_repair_unused",
    "UPDATE objects o SET state = 'dead', dead_at = now() WHERE o.state = 'live' AND NOT EXISTS"
    " (SELECT 1 FROM extents e WHERE e.account_id = o.account_id AND e.object_id = o.id)"};
// Only sums of the slots mean anything: the difference may go into any of them.
constexpr Statement update_usage{
    "consistency_repair_usage",
    "UPDATE account_usage u SET used_bytes = u.used_bytes + s.used_bytes - t.used_bytes,"
    " files = u.files + s.files - t.files"
    " FROM account_totals t JOIN (" SUMS_OF_ACCOUNTS
    ") s ON s.account_id = t.account_id"
    " WHERE u.account_id = t.account_id AND u.slot = 0"
    " AND (t.used_bytes <> s.used_bytes OR t.files <> s.files)"};

#undef SUMS_OF_ACCOUNTS

// Index extents_of_object, then versions' and nodes' primary keys on the way up.
constexpr Statement select_files_using{
    "consistency_files_using",
    "WITH RECURSIVE up AS ("
    " SELECT n.account_id, n.id AS file, n.parent_id, n.name AS path FROM extents e"
    " JOIN versions v ON v.account_id = e.account_id AND v.id = e.version_id"
    " JOIN nodes n ON n.account_id = v.account_id AND n.version_id = v.id"
    " WHERE e.account_id = $1 AND e.object_id = $2"
    " UNION SELECT p.account_id, up.file, p.parent_id, p.name || '/' || up.path"
    " FROM up JOIN nodes p ON p.account_id = up.account_id AND p.id = up.parent_id)"
    " SELECT path FROM up WHERE parent_id IS NULL ORDER BY path LIMIT $3"};

}  // namespace

std::vector<Contradiction> Consistency::find(int limit) {
  using Kind = Contradiction::Kind;
  const std::pair<Kind, const Statement*> questions[] = {
      {Kind::version_missing, &select_versions_missing},
      {Kind::extents_overlap, &select_overlaps},
      {Kind::extent_without_bytes, &select_without_bytes},
      {Kind::object_unused, &select_unused},
      {Kind::usage_wrong, &select_usage},
  };
  std::vector<Contradiction> found;
  for (const auto& [kind, statement] : questions) {
    for (const auto& row : transaction_.inner().run(*statement, limit)) {
      found.push_back({kind, AccountId{row[0].as<std::int64_t>()}, row[1].as<std::int64_t>()});
    }
  }
  return found;
}

int Consistency::repair() {
  auto& inner = transaction_.inner();
  inner.run(lock_tables);
  const auto unused = inner.run(update_unused).affected_rows();
  const auto usage = inner.run(update_usage).affected_rows();
  return static_cast<int>(unused + usage);
}

std::vector<std::string> Consistency::files_using(AccountId account, ObjectId object, int limit) {
  std::vector<std::string> paths;
  for (const auto& row : transaction_.inner().run(select_files_using, account, object, limit)) {
    paths.push_back(row[0].as<std::string>());
  }
  return paths;
}

}  // namespace metadata
