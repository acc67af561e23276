// Committing an open file: everything written becomes stored extents, then one transaction.

#include <algorithm>
#include <utility>

#include "metadata/database.h"
#include "metadata/error.h"
#include "metadata/repositories/uploads.h"
#include "metadata/repositories/versions.h"
#include "sftpd/vfs/content/content_type.h"
#include "sftpd/vfs/content/hash.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/open_file/open_file.h"
#include "sftpd/vfs/open_file/open_files.h"
#include "sftpd/vfs/writing/memory_pool.h"
#include "sftpd/vfs/writing/object_writer.h"

namespace sftpd::vfs {

namespace {

constexpr int publish_attempts_max = 3;
/// So many times others may have replaced what we published, before we know that we did.
constexpr int versions_looked_at_max = 16;

metadata::Extent extent_of(const Piece& piece) {
  metadata::Extent extent{piece.offset, piece.length, {}};
  if (const auto* stored = std::get_if<Stored>(&piece.source)) {
    extent.source =
        metadata::ObjectSlice{stored->object, {}, stored->offset, stored->object_size, {}};
  } else {
    const auto& inlined = std::get<Inline>(piece.source);
    extent.source = inlined.bytes->substr(static_cast<std::size_t>(inlined.offset),
                                          static_cast<std::size_t>(piece.length));
  }
  return extent;
}

bool same_source(const metadata::Extent& a, const metadata::Extent& b) {
  const auto* left = std::get_if<metadata::ObjectSlice>(&a.source);
  const auto* right = std::get_if<metadata::ObjectSlice>(&b.source);
  if (left && right) return left->object == right->object && left->offset == right->offset;
  return !left && !right && std::get<std::string>(a.source) == std::get<std::string>(b.source);
}

bool same_content(const metadata::Version& version, const metadata::Publication& publication) {
  return version.size == publication.size &&
         std::ranges::equal(version.extents, publication.extents,
                            [](const metadata::Extent& a, const metadata::Extent& b) {
                              return a.offset == b.offset && a.length == b.length &&
                                     same_source(a, b);
                            });
}

}  // namespace

Step OpenFile::commit(Completeness completeness) {
  throw_if_failed();
  bool entry_only = false;
  {
    std::lock_guard lock(mutex_);
    if (orphaned_) return Step::done;
    entry_only = !dirty_ && !attributes_pending_;
  }
  try {
    if (entry_only) {
      make_entry_durable();
      return Step::done;
    }
    store_stream();
    if (store_scratch() != Step::done) return Step::needs_memory;
    join_small_pieces(files_.options().extents_max / 2);
    publish_content(completeness);
    return Step::done;
  } catch (...) {
    give_up_packing();
    remember_failure();
    throw;
  }
}

/// Nobody takes the name away meanwhile: what loses it must not be published.
void OpenFile::publish_content(Completeness completeness) {
  std::lock_guard publishing(publish_mutex_);
  metadata::Publication publication;
  {
    std::lock_guard lock(mutex_);
    if (orphaned_) return;
    publication = publication_locked(completeness);
  }
  if (const auto result = publish_or_follow(std::move(publication), completeness)) {
    committed(*result, completeness);
  } else {
    name_is_gone();
  }
}

/// A new file that nobody wrote to. Nothing is published: another process may have.
void OpenFile::make_entry_durable() {
  std::lock_guard publishing(publish_mutex_);
  metadata::NodeId node;
  {
    std::lock_guard lock(mutex_);
    if (orphaned_ || !created_) return;
    node = node_.id;
  }
  bool there = false;
  files_.database().transact_repeatable([&](metadata::Transaction& tx) {
    there = metadata::Nodes(tx).change_file(account_, node, file_id_, {});
  });
  if (!there) return name_is_gone();
  std::lock_guard lock(mutex_);
  created_ = false;
}

/// Somebody removed it elsewhere: commits go nowhere from now on. Or the database crashed before
/// the entry was durable: then who was promised that it would be has to hear so.
void OpenFile::name_is_gone() {
  metadata::NodeId node;
  {
    std::lock_guard lock(mutex_);
    orphaned_ = true;
    created_ = false;
    if (node_.version || files_.database().connections_made() == connections_seen_) return;
    node = node_.id;
  }
  const bool removed = files_.database().query(
      [&](metadata::Transaction& tx) { return metadata::Nodes(tx).was_removed(account_, node); });
  if (!removed) throw Error(ErrorCode::lost, "the database does not know the new file any more");
}

/// The stream's bytes become inline bytes if they are few, else an object.
void OpenFile::store_stream() {
  {
    std::lock_guard lock(mutex_);
    if (!stream_) return;
    save_leftovers_locked(*stream_);
    const auto head = stream_->head();
    if (auto small = stream_->take_small(files_.inline_max())) {
      if (stream_->file_offset() == 0) name_type_locked(head);
      auto bytes = std::make_shared<const std::string>(reinterpret_cast<const char*>(small->data()),
                                                       small->size());
      content_.replace(stream_.get(), Inline{std::move(bytes), 0});
      stream_ = nullptr;
      return;
    }
  }
  cut_stream(true);
}

metadata::Publication OpenFile::publication_locked(Completeness completeness) {
  metadata::Publication publication;
  publication.node = node_.id;
  publication.file = file_id_;
  publication.user = user_;
  publication.size = size_;
  publication.incomplete = completeness == Completeness::incomplete;
  publication.attributes.mtime = node_.mtime;
  if (attributes_pending_) {
    publication.attributes.atime = node_.atime;
    publication.attributes.mode = node_.mode;
  }
  if (size_ == 0) mime_.clear();
  publication.mime = mime_;
  for (const auto& piece : content_.all()) publication.extents.push_back(extent_of(piece));
  for (const auto& written : finished_) {
    const bool used = std::any_of(
        publication.extents.begin(), publication.extents.end(), [&](const auto& extent) {
          const auto* slice = std::get_if<metadata::ObjectSlice>(&extent.source);
          return slice && slice->object == written.row.object;
        });
    if (used && !written.duplicate) publication.finished.push_back(written.row);
  }
  publication.sha256 = whole_hash_locked(publication);
  return publication;
}

/// The hash of all content where it is known without reading it again.
std::optional<metadata::Sha256> OpenFile::whole_hash_locked(
    const metadata::Publication& publication) {
  if (auto hash = hashed_.hash_of(publication.extents, size_)) return hash;
  if (publication.extents.size() != 1) return {};
  const auto& only = publication.extents.front();
  const auto* whole = std::get_if<metadata::ObjectSlice>(&only.source);
  if (!whole || only.offset != 0 || only.length != size_) return {};
  const auto& slice = *whole;
  for (const auto& written : finished_) {
    if (written.row.object == slice.object && slice.offset == 0 && written.row.size == size_) {
      return written.row.sha256;
    }
  }
  return {};
}

/// What this file shares with the committed version may lie in other objects by now.
std::optional<metadata::PublishResult> OpenFile::publish_or_follow(
    metadata::Publication publication, Completeness completeness) {
  try {
    return publish(publication);
  } catch (const metadata::Error& error) {
    if (error.code() != metadata::ErrorCode::lease_lost || !find_moved_bytes_publishing()) throw;
  }
  {
    std::lock_guard lock(mutex_);
    publication = publication_locked(completeness);
  }
  return publish(publication);
}

bool OpenFile::find_moved_bytes() {
  std::lock_guard publishing(publish_mutex_);
  return find_moved_bytes_publishing();
}

bool OpenFile::find_moved_bytes_publishing() {
  const auto id = version();
  if (!id) return false;
  const auto found = files_.database().query(
      [&](metadata::Transaction& tx) { return metadata::Versions(tx).load(account_, *id); });
  if (!found) return false;
  const Content now = Content::of(*found);
  std::lock_guard lock(mutex_);
  if (node_.version != id) return false;
  const Content before = std::exchange(base_, now);
  return content_.follow(before, now);
}

std::optional<metadata::PublishResult> OpenFile::publish(const metadata::Publication& publication) {
  const bool alone = std::none_of(finished_.begin(), finished_.end(),
                                  [](const WrittenObject& written) { return written.upload_row; });
  const auto work = [&](metadata::Transaction& tx) {
    const auto result = metadata::Versions(tx).publish(account_, publication);
    for (const auto& written : finished_) {
      if (written.upload_row) metadata::Uploads(tx).end(account_, written.row.object);
    }
    return result;
  };
  for (int attempt = 1;; ++attempt) {
    try {
      return alone ? files_.database().execute(work) : files_.database().transact(work);
    } catch (const metadata::Error& error) {
      if (error.code() != metadata::ErrorCode::in_doubt) throw;
      if (const auto result = find_published(publication)) return result;
      if (attempt == publish_attempts_max) throw;
    }
  }
}

/// After a COMMIT whose answer was lost: the version if it is what we published. Other servers may
/// have replaced it by now: publishing it again would undo that.
std::optional<metadata::PublishResult> OpenFile::find_published(
    const metadata::Publication& publication) {
  return files_.database().transact(
      [&, before = version()](metadata::Transaction& tx) -> std::optional<metadata::PublishResult> {
        metadata::Versions versions(tx);
        const auto node = metadata::Nodes(tx).lock_file(account_, publication.node, file_id_);
        if (!node) return {};
        for (const auto id : versions.younger(account_, node->id, before, versions_looked_at_max)) {
          const auto version = versions.load(account_, id);
          if (version && same_content(*version, publication)) {
            return metadata::PublishResult{node->id, id};
          }
        }
        return {};
      });
}

void OpenFile::committed(const metadata::PublishResult& result, Completeness completeness) {
  std::vector<WrittenObject> finished;
  std::vector<Piece> extents;
  // Before we stop being ahead of the database: who looks between has to look again.
  files_.open_files().committed(account_, file_id_);
  {
    std::lock_guard lock(mutex_);
    node_.id = result.node;
    node_.version = result.version;
    node_.size = size_;
    node_.incomplete = completeness == Completeness::incomplete;
    base_ = content_;
    base_size_ = size_;
    dirty_ = false;
    created_ = false;
    attributes_pending_ = false;
    scratch_ = nullptr;
    recoverable_end_ = {};
    gap_ = {};
    finished.swap(finished_);
    extents = base_.all();
  }
  for (const Piece& piece : extents) {
    const bool inlined = std::holds_alternative<Inline>(piece.source);
    if (inlined) files_.inline_backlog().added(piece.length);
  }
  for (const auto& written : finished) {
    if (written.duplicate) continue;
    const bool used = std::any_of(extents.begin(), extents.end(), [&](const Piece& piece) {
      const auto* stored = std::get_if<Stored>(&piece.source);
      return stored && stored->object == written.row.object;
    });
    if (used) {
      files_.objects().published(account_, written.row.object);
    } else {
      files_.objects().discard(account_, written.row.object);
    }
  }
}

}  // namespace sftpd::vfs
