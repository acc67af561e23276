#include "metadata/repositories/uploads.h"

#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

// The object must still be staging: the collector may have claimed it. Primary keys.
constexpr Statement begin_upload{
    "uploads_begin",
    "WITH object AS ("
    "  UPDATE objects SET upload = $5"
    "  WHERE account_id = $1 AND id = $2 AND state = 'staging' RETURNING account_id, id)"
    " INSERT INTO uploads"
    "   (account_id, object_id, node_id, user_id, file_offset, chain, base_version, file_id)"
    " SELECT o.account_id, o.id, $3, $4, $6, $7, $8, $9 FROM object o"
    " ON CONFLICT (account_id, object_id) DO UPDATE SET node_id = excluded.node_id"};
constexpr Statement delete_upload{"uploads_end",
                                  "DELETE FROM uploads WHERE account_id = $1 AND object_id = $2"};
// Index uploads_of_file, then objects' primary key. A row may outlive its upload until the
// collector comes; and who waits for one that cannot be finished waits long.
constexpr Statement find_running{
    "uploads_is_running",
    "SELECT EXISTS (SELECT 1 FROM uploads u"
    " JOIN objects o ON o.account_id = u.account_id AND o.id = u.object_id"
    " WHERE u.account_id = $1 AND coalesce(u.file_id, u.node_id) = $2 AND u.failures = 0"
    "   AND o.state = 'staging')"};
// Index objects_staging, then uploads_of_file and primary keys. Of each file only the youngest
// upload is looked at: its row's lock makes the whole chain ours. Leases of a chain end one after
// the other; only when all have is its process gone.
constexpr Statement claim_uploads{
    "uploads_claim_interrupted",
    "WITH youngest AS MATERIALIZED ("
    "  SELECT u.account_id, u.object_id, coalesce(u.file_id, u.node_id) AS file_id, u.chain,"
    "    u.started_at"
    "  FROM objects o JOIN uploads u ON u.account_id = o.account_id AND u.object_id = o.id"
    "  WHERE o.state = 'staging' AND o.lease_until <= statement_timestamp()"
    "    AND NOT EXISTS ("
    "      SELECT 1 FROM uploads y JOIN objects s ON s.account_id = y.account_id"
    "        AND s.id = y.object_id"
    "      WHERE y.account_id = u.account_id"
    "        AND coalesce(y.file_id, y.node_id) = coalesce(u.file_id, u.node_id)"
    "        AND s.state = 'staging'"
    "        AND (y.started_at, y.object_id) > (u.started_at, u.object_id))),"
    " picked AS MATERIALIZED ("
    "  SELECT y.account_id, y.file_id, y.chain"
    "  FROM youngest y JOIN objects o ON o.account_id = y.account_id AND o.id = y.object_id"
    "  WHERE o.state = 'staging' AND o.lease_until <= statement_timestamp()"
    "    AND NOT EXISTS ("
    "      SELECT 1 FROM uploads c JOIN objects s ON s.account_id = c.account_id"
    "        AND s.id = c.object_id"
    "      WHERE c.account_id = y.account_id AND coalesce(c.file_id, c.node_id) = y.file_id"
    "        AND c.chain = y.chain AND s.state = 'staging' AND s.lease_until > "
    "statement_timestamp())"
    "  ORDER BY y.started_at DESC, y.object_id DESC LIMIT $2 FOR UPDATE OF o SKIP LOCKED),"
    " claimed AS ("
    "  UPDATE objects o SET lease_until = clock_timestamp() + $1 * interval '1 second'"
    "  FROM picked p JOIN uploads u ON u.account_id = p.account_id"
    "    AND coalesce(u.file_id, u.node_id) = p.file_id AND u.chain = p.chain"
    "  WHERE o.account_id = u.account_id AND o.id = u.object_id AND o.state = 'staging'"
    "  RETURNING o.account_id, o.id, u.node_id, u.user_id, o.key, o.upload, u.file_offset,"
    "    u.base_version, u.chain, u.failures, u.started_at, p.file_id)"
    " SELECT account_id, id, node_id, user_id, key, upload, file_offset, base_version, chain,"
    "   failures, file_id FROM claimed ORDER BY started_at DESC, id DESC"};
// Primary keys. The pause doubles each time, 64 times at most.
constexpr Statement postpone_uploads{
    "uploads_postpone",
    "WITH failed AS ("
    "  UPDATE uploads u SET failures = least(u.failures + 1, greatest(u.failures, $4))"
    "  WHERE u.account_id = $1 AND u.object_id = ANY ($2::bigint[])"
    "  RETURNING u.account_id, u.object_id, u.failures)"
    " UPDATE objects o"
    " SET lease_until = clock_timestamp() + $3 * (2 ^ least(f.failures - 1, 6)) * interval '1 "
    "second'"
    " FROM failed f WHERE o.account_id = f.account_id AND o.id = f.object_id"
    "  AND o.state = 'staging'"};

UploadRow upload_of(const pqxx::row& row) {
  UploadRow upload;
  upload.account = AccountId{row[0].as<std::int64_t>()};
  upload.object = ObjectId{row[1].as<std::int64_t>()};
  upload.node = NodeId{row[2].as<std::int64_t>()};
  upload.user = UserId{row[3].as<std::int64_t>()};
  upload.key = row[4].as<std::string>();
  upload.upload = row[5].as<std::string>();
  upload.file_offset = row[6].as<std::uint64_t>();
  if (!row[7].is_null()) upload.base = VersionId{row[7].as<std::int64_t>()};
  upload.chain = row[8].as<std::int64_t>();
  upload.failures = row[9].as<int>();
  upload.file = FileId{row[10].as<std::int64_t>()};
  return upload;
}

}  // namespace

void Uploads::begin(AccountId account, ObjectId object, NodeId node, FileId file, UserId user,
                    const std::string& upload, std::uint64_t file_offset, std::int64_t chain,
                    std::optional<VersionId> base) {
  const auto rows = transaction_.inner().run(begin_upload, account, object, node, user, upload,
                                             signed_size(file_offset), chain, base, file);
  if (rows.affected_rows() == 0) {
    throw Error(ErrorCode::lease_lost, "the object is no longer staging");
  }
}

void Uploads::end(AccountId account, ObjectId object) {
  transaction_.inner().run(delete_upload, account, object);
}

bool Uploads::is_running(AccountId account, FileId file) {
  return transaction_.inner().run(find_running, account, file)[0][0].as<bool>();
}

std::vector<UploadRow> Uploads::claim_interrupted(std::chrono::seconds lease, int chains_max) {
  std::vector<UploadRow> uploads;
  for (const auto& row : transaction_.inner().run(claim_uploads, lease.count(), chains_max)) {
    uploads.push_back(upload_of(row));
  }
  return uploads;
}

void Uploads::postpone(AccountId account, const std::vector<ObjectId>& objects,
                       std::chrono::seconds pause, int failures_max) {
  std::vector<std::int64_t> ids;
  ids.reserve(objects.size());
  for (const ObjectId object : objects) ids.push_back(object.value);
  transaction_.inner().run(postpone_uploads, account, array_of(ids), pause.count(), failures_max);
}

}  // namespace metadata
