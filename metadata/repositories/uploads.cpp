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
    "   (account_id, object_id, node_id, user_id, file_offset, chain, base_version)"
    " SELECT o.account_id, o.id, $3, $4, $6, $7, $8 FROM object o"
    " ON CONFLICT (account_id, object_id) DO UPDATE SET node_id = excluded.node_id"};
constexpr Statement delete_upload{"uploads_end",
                                  "DELETE FROM uploads WHERE account_id = $1 AND object_id = $2"};
// Primary key's beginning: an account has few at a time.
constexpr Statement find_running{
    "uploads_is_running",
    "SELECT EXISTS (SELECT 1 FROM uploads WHERE account_id = $1 AND node_id = $2)"};
// Index objects_staging, then primary keys.
constexpr Statement claim_uploads{
    "uploads_claim_interrupted",
    "WITH picked AS MATERIALIZED ("
    "  SELECT o.account_id, o.id FROM objects o"
    "  WHERE o.state = 'staging' AND o.lease_until <= statement_timestamp()"
    "    AND EXISTS (SELECT 1 FROM uploads u"
    "                WHERE u.account_id = o.account_id AND u.object_id = o.id)"
    "  ORDER BY o.lease_until LIMIT $2 FOR UPDATE SKIP LOCKED),"
    " claimed AS ("
    "  UPDATE objects o SET lease_until = clock_timestamp() + $1 * interval '1 second'"
    "  FROM picked p WHERE o.account_id = p.account_id AND o.id = p.id"
    "  RETURNING o.account_id, o.id, o.key, o.upload)"
    " SELECT c.account_id, c.id, u.node_id, u.user_id, c.key, c.upload, u.file_offset,"
    "   u.base_version, u.chain"
    " FROM claimed c JOIN uploads u ON u.account_id = c.account_id AND u.object_id = c.id"
    " ORDER BY u.started_at DESC, c.id DESC"};
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
  return upload;
}

}  // namespace

void Uploads::begin(AccountId account, ObjectId object, NodeId node, UserId user,
                    const std::string& upload, std::uint64_t file_offset, std::int64_t chain,
                    std::optional<VersionId> base) {
  const auto rows = transaction_.inner().run(begin_upload, account, object, node, user, upload,
                                             signed_size(file_offset), chain, base);
  if (rows.affected_rows() == 0) {
    throw Error(ErrorCode::lease_lost, "the object is no longer staging");
  }
}

void Uploads::end(AccountId account, ObjectId object) {
  transaction_.inner().run(delete_upload, account, object);
}

bool Uploads::is_running(AccountId account, NodeId node) {
  return transaction_.inner().run(find_running, account, node)[0][0].as<bool>();
}

std::vector<UploadRow> Uploads::claim_interrupted(std::chrono::seconds lease, int limit) {
  std::vector<UploadRow> uploads;
  for (const auto& row : transaction_.inner().run(claim_uploads, lease.count(), limit)) {
    uploads.push_back(upload_of(row));
  }
  return uploads;
}

}  // namespace metadata
