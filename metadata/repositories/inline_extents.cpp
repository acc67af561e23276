#include "metadata/repositories/inline_extents.h"

#include "metadata/repositories/sha256_text.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

// Index extents_inline, whose order is that of age; then the version's primary key.
constexpr Statement select_inline{
    "inline_older_than",
    "SELECT e.account_id, e.version_id, v.node_id, e.file_offset, e.inline,"
    " CASE WHEN e.length = v.size THEN v.mime ELSE '' END"
    " FROM extents e JOIN versions v ON v.account_id = e.account_id AND v.id = e.version_id"
    " WHERE e.inline IS NOT NULL AND v.created_at <= now() - $1 * interval '1 second'"
    // Those are about to be pruned (migration 9).
    " AND (v.replaced_at IS NULL OR v.removed_path IS NOT NULL"
    "      OR v.replaced_at - v.created_at >= interval '1 minute')"
    " ORDER BY e.version_id, e.file_offset LIMIT $2"};
// Primary keys. The extent first: who comes second finds it moved.
constexpr Statement move_inline{
    "inline_move",
    "WITH extent AS ("
    "  UPDATE extents SET object_id = $4, object_offset = 0, inline = NULL"
    "  WHERE account_id = $1 AND version_id = $2 AND file_offset = $3 AND inline IS NOT NULL"
    "  RETURNING account_id)"
    " UPDATE objects o SET state = 'live', size = $5, sha256 = $6, etag = $7, mime = $8,"
    " crc32c = $9, lease_until = NULL"
    " FROM extent e WHERE o.account_id = e.account_id AND o.id = $4 AND o.state = 'staging'"
    " RETURNING o.id"};
constexpr Statement count_moved{"inline_moved",
                                "SELECT count(*) FROM extents WHERE account_id = $1 AND"
                                " version_id = $2 AND file_offset = $3 AND object_id = $4"};
// All of the index extents_inline, whose first entry is the oldest.
constexpr Statement sum_inline{
    "inline_waiting",
    "SELECT coalesce(sum(e.length), 0)::bigint,"
    " coalesce(greatest(0, extract(epoch FROM now() - ("
    "  SELECT v.created_at FROM extents o"
    "  JOIN versions v ON v.account_id = o.account_id AND v.id = o.version_id"
    "  WHERE o.inline IS NOT NULL ORDER BY o.version_id, o.file_offset LIMIT 1)))::bigint, 0)"
    " FROM extents e WHERE e.inline IS NOT NULL"};

std::optional<std::int64_t> stored_crc(const FinishedObject& object) {
  return object.crc32c ? std::optional<std::int64_t>(*object.crc32c) : std::nullopt;
}

}  // namespace

std::vector<InlineExtent> InlineExtents::older_than(std::chrono::seconds age, int limit) {
  std::vector<InlineExtent> extents;
  for (const auto& row : transaction_.inner().run(select_inline, age.count(), limit)) {
    extents.push_back({AccountId{row[0].as<std::int64_t>()}, VersionId{row[1].as<std::int64_t>()},
                       NodeId{row[2].as<std::int64_t>()}, row[3].as<std::uint64_t>(),
                       bytes_of(row[4]), row[5].as<std::string>()});
  }
  return extents;
}

bool InlineExtents::move(const InlineExtent& extent, const FinishedObject& object) {
  const auto version = extent.version;
  const auto offset = signed_size(extent.offset);
  auto& inner = transaction_.inner();
  const auto moved = inner.run(move_inline, extent.account, version, offset, object.object,
                               signed_size(object.size), bytea_text(object.sha256), object.etag,
                               object.mime, stored_crc(object));
  if (!moved.empty()) return true;
  const auto named = inner.run(count_moved, extent.account, version, offset, object.object);
  if (named[0][0].as<int>() > 0) {
    throw Error(ErrorCode::lease_lost, "the object is no longer staging");
  }
  return false;
}

InlineWaiting InlineExtents::waiting() {
  const auto row = transaction_.inner().run(sum_inline)[0];
  return {row[0].as<std::uint64_t>(), std::chrono::seconds{row[1].as<std::int64_t>()}};
}

}  // namespace metadata
