#include "metadata/repositories/objects.h"

#include <map>

#include "metadata/repositories/sha256_text.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

#define OBJECT_COLUMNS                                                      \
  "o.account_id, o.id, o.key, o.state, o.size, o.etag, o.upload, o.sha256," \
  " o.damaged_at IS NOT NULL"

constexpr Statement insert_objects{
    "objects_reserve",
    "INSERT INTO objects (account_id, key, lease_until)"
    " SELECT $1, k.key, now() + $3 * interval '1 second'"
    " FROM unnest($2::text[]) WITH ORDINALITY AS k (key, position) ORDER BY k.position"
    " RETURNING id, key"};
// Primary key, as in the next three.
constexpr Statement renew_leases{
    "objects_renew",
    "UPDATE objects SET lease_until = clock_timestamp() + $3 * interval '1 second'"
    " WHERE account_id = $1 AND id = ANY ($2::bigint[]) AND state = 'staging'"};
constexpr Statement update_upload{"objects_set_upload",
                                  "UPDATE objects SET upload = $3"
                                  " WHERE account_id = $1 AND id = $2 AND state = 'staging'"};
// The epoch as the time of death: no reader ever saw it, so nothing need be waited for.
constexpr Statement discard_objects{
    "objects_discard",
    "UPDATE objects SET state = 'dead', dead_at = timestamptz 'epoch', lease_until = NULL"
    " WHERE account_id = $1 AND id = ANY ($2::bigint[]) AND state = 'staging'"};
// Index objects_content.
constexpr Statement select_duplicate{
    "objects_find_duplicate",
    "SELECT " OBJECT_COLUMNS
    " FROM objects o"
    " WHERE o.account_id = $1 AND o.sha256 = $2 AND o.size = $3 AND o.state = 'live'"
    " AND o.damaged_at IS NULL LIMIT 1"};
// Primary key.
constexpr Statement mark_damaged_object{
    "objects_mark_damaged",
    "UPDATE objects SET damaged_at = now()"
    " WHERE account_id = $1 AND id = $2 AND damaged_at IS NULL"};
constexpr Statement mark_sound_object{
    "objects_mark_sound", "UPDATE objects SET damaged_at = NULL WHERE account_id = $1 AND id = $2"};
// Indexes objects_dead, objects_staging, objects_reaping, objects_gone.
constexpr Statement claim_objects{
    "objects_claim", "SELECT " OBJECT_COLUMNS " FROM shoebox_claim_for_deletion($1, $2, $3) o"};
// A tombstone that was deleted for the second time is forgotten. Primary key.
constexpr Statement forget_objects{
    "objects_forget",
    "DELETE FROM objects o USING unnest($1::bigint[], $2::bigint[]) AS f (account_id, id)"
    " WHERE o.account_id = f.account_id AND o.id = f.id AND o.state = 'reaping'"
    " AND o.gone_at IS NOT NULL"};
constexpr Statement mark_objects{
    "objects_mark_gone",
    "UPDATE objects o SET state = 'gone', gone_at = now(), lease_until = NULL, upload = ''"
    " FROM unnest($1::bigint[], $2::bigint[]) AS f (account_id, id)"
    " WHERE o.account_id = f.account_id AND o.id = f.id AND o.state = 'reaping'"};
// Primary key, by keyset.
constexpr Statement scan_objects{
    "objects_scan", "SELECT " OBJECT_COLUMNS
                    " FROM objects o WHERE (o.account_id, o.id) > ($1, $2) AND o.state <> 'gone'"
                    " ORDER BY o.account_id, o.id LIMIT $3"};
// Index objects_key.
constexpr Statement select_known{"objects_known_keys",
                                 "SELECT o.key FROM unnest($1::text[]) AS k (key)"
                                 " JOIN objects o ON o.key = k.key WHERE o.state <> 'gone'"};

ObjectRow object_of(const pqxx::row& row) {
  return {.account = AccountId{row[0].as<std::int64_t>()},
          .id = ObjectId{row[1].as<std::int64_t>()},
          .key = row[2].as<std::string>(),
          .state = row[3].as<std::string>(),
          .size = row[4].as<std::uint64_t>(),
          .etag = row[5].as<std::string>(),
          .upload = row[6].as<std::string>(),
          .sha256 = sha256_of(row[7]),
          .damaged = row[8].as<bool>()};
}

std::vector<ObjectRow> all_objects(const pqxx::result& rows) {
  std::vector<ObjectRow> objects;
  for (const auto& row : rows) objects.push_back(object_of(row));
  return objects;
}

std::string array_of_ids(const std::vector<ObjectId>& ids) {
  std::vector<std::int64_t> values;
  values.reserve(ids.size());
  for (const ObjectId id : ids) values.push_back(id.value);
  return array_of(values);
}

}  // namespace

std::vector<ObjectId> Objects::reserve(AccountId account, const std::vector<std::string>& keys,
                                       std::chrono::seconds lease) {
  std::map<std::string, ObjectId> by_key;
  for (const auto& row :
       transaction_.inner().run(insert_objects, account, array_of(keys), lease.count())) {
    by_key[row[1].as<std::string>()] = ObjectId{row[0].as<std::int64_t>()};
  }
  std::vector<ObjectId> ids;
  ids.reserve(keys.size());
  for (const auto& key : keys) ids.push_back(by_key.at(key));
  return ids;
}

int Objects::renew(AccountId account, const std::vector<ObjectId>& ids,
                   std::chrono::seconds lease) {
  return static_cast<int>(transaction_.inner()
                              .run(renew_leases, account, array_of_ids(ids), lease.count())
                              .affected_rows());
}

void Objects::set_upload(AccountId account, ObjectId id, const std::string& upload) {
  const auto rows = transaction_.inner().run(update_upload, account, id, upload);
  if (rows.affected_rows() == 0) {
    throw Error(ErrorCode::lease_lost, "the object is no longer staging");
  }
}

void Objects::discard(AccountId account, const std::vector<ObjectId>& ids) {
  transaction_.inner().run(discard_objects, account, array_of_ids(ids));
}

std::optional<ObjectRow> Objects::find_duplicate(AccountId account, const Sha256& sha256,
                                                 std::uint64_t size) {
  const auto rows =
      transaction_.inner().run(select_duplicate, account, bytea_text(sha256), signed_size(size));
  if (rows.empty()) return std::nullopt;
  return object_of(rows[0]);
}

void Objects::mark_damaged(AccountId account, ObjectId id) {
  transaction_.inner().run(mark_damaged_object, account, id);
}

void Objects::mark_sound(AccountId account, ObjectId id) {
  transaction_.inner().run(mark_sound_object, account, id);
}

std::vector<ObjectRow> Objects::claim_for_deletion(std::chrono::seconds keep_dead,
                                                   std::chrono::seconds grace, int limit) {
  return all_objects(
      transaction_.inner().run(claim_objects, keep_dead.count(), grace.count(), limit));
}

void Objects::mark_gone(const std::vector<ObjectRow>& rows) {
  std::vector<std::int64_t> accounts, ids;
  for (const ObjectRow& row : rows) {
    accounts.push_back(row.account.value);
    ids.push_back(row.id.value);
  }
  transaction_.inner().run(forget_objects, array_of(accounts), array_of(ids));
  transaction_.inner().run(mark_objects, array_of(accounts), array_of(ids));
}

std::vector<ObjectRow> Objects::scan(AccountId after_account, ObjectId after, int limit) {
  return all_objects(transaction_.inner().run(scan_objects, after_account, after, limit));
}

std::vector<std::string> Objects::known_keys(const std::vector<std::string>& keys) {
  std::vector<std::string> known;
  for (const auto& row : transaction_.inner().run(select_known, array_of(keys))) {
    known.push_back(row[0].as<std::string>());
  }
  return known;
}

#undef OBJECT_COLUMNS

}  // namespace metadata
