// Moves inline bytes from PostgreSQL to the store, when they have been quiet for a while.

#include "metadata/database.h"
#include "metadata/repositories/inline_extents.h"
#include "sftpd/vfs/content/crc32c.h"
#include "sftpd/vfs/content/hash.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/writing/object_labels.h"
#include "sftpd/vfs/writing/object_reserve.h"
#include "storage/object_store.h"

namespace sftpd::vfs {

namespace {

/// One extent on its way.
struct Moving {
  metadata::InlineExtent extent;
  ReservedObject object;
  storage::Future<storage::ObjectInfo> stored;
};

Moving begin_move(FileSystem& files, metadata::InlineExtent extent) {
  Moving moving;
  moving.object = files.objects().take(extent.account);
  auto bytes = std::make_shared<const std::string>(extent.bytes);
  storage::Payload body(bytes, std::as_bytes(std::span(*bytes)));
  moving.stored =
      files.store().put(storage::ObjectKey{moving.object.key}, std::move(body),
                        labels_of(moving.object, extent.account, extent.node, extent.mime));
  moving.extent = std::move(extent);
  return moving;
}

/// Whether the extent now names the object.
bool finish_move(FileSystem& files, Moving& moving) {
  const auto& extent = moving.extent;
  try {
    const auto info = moving.stored.get();
    const auto crc = crc32c(0, std::as_bytes(std::span(extent.bytes)));
    const metadata::FinishedObject row{
        moving.object.id, extent.bytes.size(), sha256_of(extent.bytes),
        info.etag.text,   extent.mime,         crc};
    // A crash of the database undoes it: then the bytes are where they were.
    const bool moved = files.database().transact(
        [&](metadata::Transaction& tx) { return metadata::InlineExtents(tx).move(extent, row); },
        metadata::Durability::later);
    if (moved) {
      files.objects().published(extent.account, moving.object.id);
    } else {
      files.objects().discard(extent.account, moving.object.id);
    }
    return moved;
  } catch (...) {
    // If the move did happen, discarding finds no staging row and changes nothing.
    files.objects().discard(extent.account, moving.object.id);
    throw;
  }
}

}  // namespace

int FileSystem::destage(std::chrono::seconds age, int limit) {
  if (inline_backlog_.is_measurement_due()) {
    const auto all = database_.query(
        [](metadata::Transaction& tx) { return metadata::InlineExtents(tx).waiting(); });
    inline_backlog_.measured(all.bytes, all.oldest);
  }
  if (!inline_backlog_.has_room()) age = std::chrono::seconds{0};
  auto extents = database_.query([&](metadata::Transaction& tx) {
    return metadata::InlineExtents(tx).older_than(age, limit);
  });
  std::vector<Moving> moving;
  int moved = 0;
  std::exception_ptr failure;
  try {
    for (auto& extent : extents) moving.push_back(begin_move(*this, std::move(extent)));
  } catch (...) {
    failure = std::current_exception();  // Those that began are finished.
  }
  for (auto& one : moving) {
    try {
      if (!finish_move(*this, one)) continue;
      ++moved;
      inline_backlog_.removed(one.extent.bytes.size());
      counts_.destaged_objects.add();
      counts_.destaged_bytes.add(one.extent.bytes.size());
    } catch (...) {
      counts_.destage_failures.add();
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
  return moved;
}

}  // namespace sftpd::vfs
