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

// Both as numeric: whatever somebody made of sizes, their sum is one.
#define SUMS_OF_ACCOUNTS                                                                         \
  "SELECT a.id AS account_id, coalesce(sum(n.size) FILTER (WHERE n.kind = 'file'), 0) AS bytes," \
  " count(n.parent_id) AS files FROM accounts a LEFT JOIN nodes n ON n.account_id = a.id"
#define COUNTERS_OF_ACCOUNTS                                                      \
  "SELECT a.id AS account_id, coalesce(sum(u.used_bytes), 0) AS bytes,"           \
  " coalesce(sum(u.files), 0) AS files FROM accounts a LEFT JOIN account_usage u" \
  " ON u.account_id = a.id"

constexpr Statement select_usage{"consistency_usage",
                                 "SELECT t.account_id, t.account_id FROM (" COUNTERS_OF_ACCOUNTS
                                 " GROUP BY a.id) t"
                                 " JOIN (" SUMS_OF_ACCOUNTS
                                 " GROUP BY a.id) s ON s.account_id = t.account_id"
                                 " WHERE t.bytes <> s.bytes OR t.files <> s.files LIMIT $1"};

// However long whole tables take, and by the plans that suit them, which the session's are not.
constexpr char as_whole_tables_want_it[] =
    "SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on";

// Others queue behind a lock that is waited for: rather give up, and let Database try again.
constexpr char as_repairs_want_it[] =
    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '2s'";
// Publications and prunings change objects and extents together, so that the lock sees both or
// none.
constexpr Statement lock_tables{
    "consistency_lock",
    "LOCK TABLE nodes, objects, extents, account_usage IN SHARE ROW EXCLUSIVE MODE"};
// Primary key, then index extents_of_object.
constexpr Statement update_unused{
    "consistency_repair_unused",
    "UPDATE objects o SET state = 'dead', dead_at = now()"
    " FROM unnest($1::bigint[], $2::bigint[]) AS found (account_id, id)"
    " WHERE o.account_id = found.account_id AND o.id = found.id AND o.state = 'live' AND NOT EXISTS"
    " (SELECT 1 FROM extents e WHERE e.account_id = o.account_id AND e.object_id = o.id)"};
// Only sums of the slots mean anything: the difference may go into any of them. Primary keys.
constexpr Statement update_usage{
    "consistency_repair_usage",
    "UPDATE account_usage u SET files = u.files + s.files - t.files, used_bytes ="
    " greatest(-9223372036854775807, least(9223372036854775807, u.used_bytes + s.bytes - t.bytes))"
    " FROM (" COUNTERS_OF_ACCOUNTS
    " WHERE a.id = ANY ($1::bigint[]) GROUP BY a.id) t"
    " JOIN (" SUMS_OF_ACCOUNTS
    " WHERE a.id = ANY ($1::bigint[]) GROUP BY a.id) s ON s.account_id = t.account_id"
    " WHERE u.account_id = t.account_id AND u.slot = 0"
    " AND (t.bytes <> s.bytes OR t.files <> s.files)"};

#undef COUNTERS_OF_ACCOUNTS
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

using Kind = Contradiction::Kind;

std::vector<Contradiction> Consistency::find(int limit) {
  auto found = ask({{Kind::version_missing, &select_versions_missing},
                    {Kind::extents_overlap, &select_overlaps},
                    {Kind::extent_without_bytes, &select_without_bytes}},
                   limit);
  const auto repairable = find_repairable(limit);
  found.insert(found.end(), repairable.begin(), repairable.end());
  return found;
}

std::vector<Contradiction> Consistency::find_repairable(int limit) {
  return ask({{Kind::object_unused, &select_unused}, {Kind::usage_wrong, &select_usage}}, limit);
}

std::vector<Contradiction> Consistency::ask(const Questions& questions, int limit) {
  transaction_.inner().script(as_whole_tables_want_it);
  std::vector<Contradiction> found;
  for (const auto& [kind, statement] : questions) {
    for (const auto& row : transaction_.inner().run(*statement, limit)) {
      found.push_back({kind, AccountId{row[0].as<std::int64_t>()}, row[1].as<std::int64_t>()});
    }
  }
  return found;
}

int Consistency::repair(const std::vector<Contradiction>& found) {
  std::vector<std::int64_t> owners;
  std::vector<std::int64_t> objects;
  std::vector<std::int64_t> accounts;
  for (const Contradiction& one : found) {
    if (one.kind == Kind::usage_wrong) accounts.push_back(one.id);
    if (one.kind != Kind::object_unused) continue;
    owners.push_back(one.account.value);
    objects.push_back(one.id);
  }
  if (objects.empty() && accounts.empty()) return 0;
  auto& inner = transaction_.inner();
  inner.script(as_repairs_want_it);
  inner.run(lock_tables);
  const auto unused = inner.run(update_unused, array_of(owners), array_of(objects)).affected_rows();
  const auto usage = inner.run(update_usage, array_of(accounts)).affected_rows();
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
