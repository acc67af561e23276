#include "metadata/repositories/versions.h"

#include <algorithm>
#include <string_view>

#include "metadata/repositories/sha256_text.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

// Primary keys of all three tables; the version's columns repeat in each extent's row.
constexpr Statement select_version{
    "versions_load",
    "SELECT v.size, v.sha256, v.mime, e.file_offset, e.length, e.object_id, o.key,"
    " e.object_offset, o.size, e.inline, o.sha256, o.crc32c"
    " FROM versions v"
    " LEFT JOIN extents e ON e.account_id = v.account_id AND e.version_id = v.id"
    " LEFT JOIN objects o ON o.account_id = e.account_id AND o.id = e.object_id"
    " WHERE v.account_id = $1 AND v.id = $2 ORDER BY e.file_offset"};
// Index versions_of_node.
constexpr Statement younger_versions{
    "versions_younger",
    "SELECT id FROM versions WHERE account_id = $1 AND node_id = $2 AND id > $3"
    " ORDER BY id DESC LIMIT $4"};
// The page by the index of names, the rest by primary keys.
constexpr Statement upcoming_files{
    "versions_upcoming",
    "SELECT n.name, e.object_id, o.key, e.object_offset, o.size, o.sha256, o.crc32c"
    " FROM (SELECT account_id, name, version_id FROM nodes"
    "       WHERE account_id = $1 AND parent_id = $2 AND name > $3 AND kind = 'file'"
    "       ORDER BY account_id, parent_id, name LIMIT $4) n"
    " LEFT JOIN extents e ON e.account_id = n.account_id AND e.version_id = n.version_id"
    "  AND e.file_offset = 0 AND e.object_id IS NOT NULL"
    " LEFT JOIN objects o ON o.account_id = e.account_id AND o.id = e.object_id"
    " ORDER BY n.name"};
constexpr Statement publish_version{
    "versions_publish",
    "SELECT node_id, version_id FROM shoebox_publish_file($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
    " $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)"};
constexpr Statement prune_versions{"versions_prune", "SELECT shoebox_prune($1, $2)"};

Checksums checksums_of(const pqxx::field& sha256, const pqxx::field& crc32c) {
  Checksums checksums{sha256_of(sha256), {}};
  if (!crc32c.is_null()) checksums.crc32c = crc32c.as<std::uint32_t>();
  return checksums;
}

Extent extent_of(const pqxx::row& row) {
  Extent extent;
  extent.offset = row[3].as<std::uint64_t>();
  extent.length = row[4].as<std::uint64_t>();
  if (row[5].is_null()) {
    extent.source = bytes_of(row[9]);
  } else {
    extent.source = ObjectSlice{ObjectId{row[5].as<std::int64_t>()}, row[6].as<std::string>(),
                                row[7].as<std::uint64_t>(), row[8].as<std::uint64_t>(),
                                checksums_of(row[10], row[11])};
  }
  return extent;
}

/// The extents as parallel arrays, the inline bytes one after the other.
struct ExtentColumns {
  std::vector<std::int64_t> offsets, lengths, object_offsets;
  std::vector<std::optional<std::int64_t>> objects;
  std::string inline_bytes;
};

void check_extent(const Extent& extent, std::uint64_t from, std::uint64_t size) {
  const bool in_order = extent.offset >= from && extent.offset <= size;
  if (!in_order || extent.length == 0 || extent.length > size - extent.offset) {
    throw Error(ErrorCode::invalid, "extents out of order, empty, or past the end of the file");
  }
}

ExtentColumns columns_of(const Publication& publication) {
  ExtentColumns columns;
  std::uint64_t end = 0;
  for (const Extent& extent : publication.extents) {
    check_extent(extent, end, publication.size);
    end = extent.offset + extent.length;
    columns.offsets.push_back(signed_size(extent.offset));
    columns.lengths.push_back(signed_size(extent.length));
    if (const auto* slice = std::get_if<ObjectSlice>(&extent.source)) {
      columns.objects.emplace_back(slice->object.value);
      columns.object_offsets.push_back(signed_size(slice->offset));
      continue;
    }
    const auto& bytes = std::get<std::string>(extent.source);
    if (bytes.size() != extent.length) {
      throw Error(ErrorCode::invalid, "an inline extent of another length than its bytes");
    }
    columns.objects.emplace_back(std::nullopt);
    columns.object_offsets.push_back(0);
    columns.inline_bytes += bytes;
  }
  return columns;
}

/// Whether a job should make one object of it. Inline bytes become one anyway; all zeros need none.
bool is_scattered(const Publication& publication) {
  if (publication.extents.empty()) return false;
  const auto& first = publication.extents.front();
  if (publication.extents.size() > 1 || first.offset > 0 || first.length != publication.size) {
    return true;
  }
  const auto* slice = std::get_if<ObjectSlice>(&first.source);
  if (!slice) return false;
  std::uint64_t object_size = slice->object_size;
  for (const FinishedObject& object : publication.finished) {
    if (object.object == slice->object) object_size = object.size;
  }
  return slice->offset > 0 || object_size != publication.size;
}

struct FinishedColumns {
  std::vector<std::int64_t> ids, sizes;
  std::vector<std::optional<std::string>> sha256s;
  std::vector<std::string> etags, mimes;
  std::vector<std::optional<std::int64_t>> crc32cs;
};

FinishedColumns columns_of(const std::vector<FinishedObject>& finished) {
  FinishedColumns columns;
  for (const FinishedObject& object : finished) {
    columns.ids.push_back(object.object.value);
    columns.sizes.push_back(signed_size(object.size));
    columns.sha256s.push_back(hexadecimal(object.sha256));
    columns.etags.push_back(object.etag);
    columns.mimes.push_back(object.mime);
    columns.crc32cs.push_back(object.crc32c);
  }
  return columns;
}

}  // namespace

std::optional<Version> Versions::load(AccountId account, VersionId id) {
  const auto rows = transaction_.inner().run(select_version, account, id);
  if (rows.empty()) return std::nullopt;
  Version version;
  version.id = id;
  version.size = rows[0][0].as<std::uint64_t>();
  version.sha256 = sha256_of(rows[0][1]);
  version.mime = rows[0][2].as<std::string>();
  for (const auto& row : rows) {
    if (!row[3].is_null()) version.extents.push_back(extent_of(row));
  }
  return version;
}

std::vector<VersionId> Versions::younger(AccountId account, NodeId node,
                                         std::optional<VersionId> before, int limit) {
  std::vector<VersionId> versions;
  for (const auto& row : transaction_.inner().run(younger_versions, account, node,
                                                  before.value_or(VersionId{}), limit)) {
    versions.push_back(VersionId{row[0].as<std::int64_t>()});
  }
  return versions;
}

std::vector<UpcomingFile> Versions::upcoming(AccountId account, NodeId directory,
                                             const std::string& after, int limit) {
  const auto rows = transaction_.inner().run(upcoming_files, account, directory, after, limit);
  std::vector<UpcomingFile> files;
  for (const auto& row : rows) {
    UpcomingFile file{row[0].as<std::string>(), {}};
    if (!row[1].is_null()) {
      file.object = ObjectSlice{ObjectId{row[1].as<std::int64_t>()}, row[2].as<std::string>(),
                                row[3].as<std::uint64_t>(), row[4].as<std::uint64_t>(),
                                checksums_of(row[5], row[6])};
    }
    files.push_back(std::move(file));
  }
  return files;
}

std::optional<PublishResult> Versions::publish(AccountId account, const Publication& publication) {
  const auto extents = columns_of(publication);
  const auto finished = columns_of(publication.finished);
  const auto& attributes = publication.attributes;
  auto mode = attributes.mode;
  if (mode) *mode &= 07777U;
  transaction_.inner().touch(account, publication.node);
  const auto rows = transaction_.inner().run(
      publish_version, account, publication.node, publication.file, signed_size(publication.size),
      bytea_text(publication.sha256), publication.mime, array_of(extents.offsets),
      array_of(extents.lengths), array_of(extents.objects), array_of(extents.object_offsets),
      Bytes{extents.inline_bytes}, array_of(finished.ids), array_of(finished.sizes),
      array_of(finished.sha256s), array_of(finished.etags), array_of(finished.mimes), mode,
      attributes.uid, attributes.gid, attributes.atime, attributes.mtime, publication.incomplete,
      publication.user, array_of(finished.crc32cs), is_scattered(publication));
  if (rows[0][0].is_null()) return std::nullopt;
  transaction_.inner().touch(account, NodeId{rows[0][0].as<std::int64_t>()});
  return PublishResult{NodeId{rows[0][0].as<std::int64_t>()},
                       VersionId{rows[0][1].as<std::int64_t>()}};
}

int Versions::prune(std::chrono::seconds keep, int limit) {
  return transaction_.inner().run(prune_versions, keep.count(), limit)[0][0].as<int>();
}

}  // namespace metadata
