#include "metadata/repositories/flattening.h"

#include "metadata/repositories/sha256_text.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

// Index versions_scattered, over all accounts; then primary keys.
constexpr Statement claim_scattered{
    "flattening_claim",
    "WITH picked AS MATERIALIZED ("
    "  SELECT account_id, id FROM versions"
    "  WHERE flatten_at <= now() - $1 * interval '1 second' AND replaced_at IS NULL"
    "  ORDER BY flatten_at LIMIT $3 FOR UPDATE SKIP LOCKED)"
    " UPDATE versions v SET flatten_at = clock_timestamp() + $2 * interval '1 second'"
    " FROM picked p WHERE v.account_id = p.account_id AND v.id = p.id"
    " RETURNING v.account_id, v.node_id, v.id"};
// Primary key, as in the next four.
constexpr Statement claim_one{
    "flattening_claim_one",
    "UPDATE versions SET flatten_at = clock_timestamp() + $3 * interval '1 second'"
    " WHERE account_id = $1 AND id = $2 AND replaced_at IS NULL"
    " AND (flatten_at IS NULL OR flatten_at <= clock_timestamp())"};
constexpr Statement renew_claim{
    "flattening_renew",
    "UPDATE versions SET flatten_at = clock_timestamp() + $3 * interval '1 second'"
    " WHERE account_id = $1 AND id = $2 AND replaced_at IS NULL"};
constexpr Statement leave_version{
    "flattening_leave", "UPDATE versions SET flatten_at = NULL WHERE account_id = $1 AND id = $2"};
constexpr Statement set_crc{"flattening_set_crc",
                            "UPDATE objects SET crc32c = $3"
                            " WHERE account_id = $1 AND id = $2 AND state = 'staging'"};
constexpr Statement flatten_version{"flattening_replace_extents",
                                    "SELECT shoebox_flatten($1, $2, $3, $4, $5, $6, $7, $8)"};

}  // namespace

std::vector<ScatteredVersion> Flattening::claim(std::chrono::seconds quiet,
                                                std::chrono::seconds hold, int limit) {
  std::vector<ScatteredVersion> claimed;
  for (const auto& row :
       transaction_.inner().run(claim_scattered, quiet.count(), hold.count(), limit)) {
    claimed.push_back({AccountId{row[0].as<std::int64_t>()}, NodeId{row[1].as<std::int64_t>()},
                       VersionId{row[2].as<std::int64_t>()}});
  }
  return claimed;
}

bool Flattening::claim(const ScatteredVersion& scattered, std::chrono::seconds hold) {
  return transaction_.inner()
             .run(claim_one, scattered.account, scattered.version, hold.count())
             .affected_rows() > 0;
}

bool Flattening::renew(const ScatteredVersion& scattered, std::chrono::seconds hold) {
  return transaction_.inner()
             .run(renew_claim, scattered.account, scattered.version, hold.count())
             .affected_rows() > 0;
}

void Flattening::leave(const ScatteredVersion& scattered) {
  transaction_.inner().run(leave_version, scattered.account, scattered.version);
}

bool Flattening::replace_extents(const ScatteredVersion& scattered, const FinishedObject& object) {
  if (object.crc32c) {
    transaction_.inner().run(set_crc, scattered.account, object.object,
                             std::int64_t{*object.crc32c});
  }
  const auto rows = transaction_.inner().run(
      flatten_version, scattered.account, scattered.node, scattered.version, object.object,
      signed_size(object.size), bytea_text(object.sha256), object.etag, object.mime);
  return rows[0][0].as<bool>();
}

}  // namespace metadata
