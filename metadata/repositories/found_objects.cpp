#include "metadata/repositories/found_objects.h"

#include "metadata/repositories/sha256_text.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

// Index objects_key.
constexpr Statement select_found{
    "found_among",
    "SELECT k.key, o.account_id, o.id FROM unnest($1::text[]) AS k (key)"
    " LEFT JOIN objects o ON o.key = k.key WHERE o.key IS NULL OR o.state = 'staging'"};
// Primary key.
constexpr Statement insert_found{
    "found_adopt",
    "INSERT INTO objects (account_id, id, key, lease_until)"
    " SELECT $1::bigint, CASE WHEN $3::bigint > 0 AND NOT EXISTS ("
    "  SELECT FROM objects WHERE account_id = $1::bigint AND id = $3::bigint) THEN $3::bigint"
    "  ELSE nextval(pg_get_serial_sequence('objects', 'id')) END, $2, now() + interval '1 day'"
    " RETURNING id"};
// Primary key.
constexpr Statement update_dead{
    "found_give_up",
    "UPDATE objects SET state = 'dead', dead_at = now(), lease_until = NULL"
    " WHERE account_id = $1 AND id = $2 AND state = 'staging'"};
// Primary keys.
constexpr Statement select_content{
    "found_content",
    "SELECT v.sha256 FROM nodes n"
    " JOIN versions v ON v.account_id = n.account_id AND v.id = n.version_id"
    " WHERE n.account_id = $1 AND n.id = $2 AND v.size = $3 AND v.sha256 IS NOT NULL"};

}  // namespace

std::vector<FoundObject> FoundObjects::among(const std::vector<std::string>& keys) {
  std::vector<FoundObject> found;
  for (const auto& row : transaction_.inner().run(select_found, array_of(keys))) {
    FoundObject object{row[0].as<std::string>(), !row[1].is_null(), {}, {}};
    if (object.has_row) {
      object.account = AccountId{row[1].as<std::int64_t>()};
      object.id = ObjectId{row[2].as<std::int64_t>()};
    }
    found.push_back(std::move(object));
  }
  return found;
}

ObjectId FoundObjects::adopt(AccountId account, const std::string& key, ObjectId wanted) {
  const auto rows = transaction_.inner().run(insert_found, account, key, wanted);
  return ObjectId{rows[0][0].as<std::int64_t>()};
}

void FoundObjects::give_up(AccountId account, ObjectId id) {
  transaction_.inner().run(update_dead, account, id);
}

std::optional<Sha256> FoundObjects::content_of(AccountId account, NodeId node, std::uint64_t size) {
  const auto rows = transaction_.inner().run(select_content, account, node, signed_size(size));
  if (rows.empty()) return std::nullopt;
  return sha256_of(rows[0][0]);
}

}  // namespace metadata
