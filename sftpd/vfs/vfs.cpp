#include "sftpd/vfs/vfs.h"

#include <limits>
#include <utility>

#include "metadata/database.h"
#include "metadata/repositories/accounts.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/node_attributes.h"
#include "sftpd/vfs/open_file/open_file.h"
#include "sftpd/vfs/open_file/open_files.h"
#include "sftpd/vfs/path_walk.h"
#include "sftpd/vfs/reading/block_cache.h"
#include "sftpd/vfs/reading/listing_prefetch.h"

namespace sftpd::vfs {

namespace {

constexpr std::uint32_t owner_may_read = 0400;
constexpr std::uint32_t owner_may_write = 0200;
constexpr std::size_t link_target_max = 4096;
/// Files up to this size are fetched when they are opened: their reader wants them whole.
constexpr std::uint64_t prefetch_max = std::uint64_t{256} << 10;

/// Commits of other files make us look again too: not for ever.
constexpr int stale_reads_max = 4;

PathWalk::LastLink last_link(Vfs::Links links) {
  return links == Vfs::Links::follow ? PathWalk::LastLink::follow : PathWalk::LastLink::keep;
}

const Destination& existing(const Destination& place) {
  if (!place.exists()) throw Error(ErrorCode::not_found, "no such file or directory");
  return place;
}

void check_writable(const metadata::Node& directory) {
  if (!(directory.mode & owner_may_write)) {
    throw Error(ErrorCode::permission_denied, "the directory is write-protected");
  }
}

/// Runs one call; whatever failed comes out as a vfs::Error.
template <class Work>
auto translated(Work&& work) {
  try {
    return work();
  } catch (...) {
    throw as_vfs_error(std::current_exception());
  }
}

}  // namespace

Vfs::Vfs(FileSystem& files, Identity identity)
    : files_(files),
      identity_(std::move(identity)),
      next_files_(std::make_unique<ListingPrefetch>(files_, identity_.account)) {
  root_ = translated([&] {
    return files_.database().query(
        [&](metadata::Transaction& tx) { return metadata::Accounts(tx).root(identity_.account); });
  });
}

Vfs::~Vfs() = default;

Destination Vfs::find(std::string_view path, Links links) {
  return PathWalk(files_.database(), identity_.account, root_).find(path, last_link(links));
}

Attributes Vfs::stat(std::string_view path, Links links) {
  return translated([&] {
    // A file committed between our two looks is neither in the row we read nor ahead of it any
    // more: then its row is read again.
    for (int attempt = 1;; ++attempt) {
      const std::uint64_t seen = files_.open_files().commits();
      const Destination place = find(path, links);
      const auto& node = existing(place).node();
      if (node.kind != NodeKind::file) return attributes_of(node);
      const auto open = files_.open_files().find(identity_.account, node.file);
      if (open && open->ahead_of_database()) return open->attributes();
      if (files_.open_files().commits() == seen || attempt == stale_reads_max) {
        return attributes_of(node);
      }
    }
  });
}

storage::Future<void> Vfs::set_attributes(std::string_view path, const AttributeChanges& changes,
                                          Links links) {
  return translated([&]() -> storage::Future<void> {
    const std::uint64_t seen = files_.open_files().commits();
    const Destination place = find(path, links);
    const auto& node = existing(place).node();
    if (changes.size) return resize(node, changes, seen);
    if (node.kind == NodeKind::file) {
      if (const auto open = files_.open_files().find(identity_.account, node.file)) {
        return open->set_attributes(changes);
      }
    }
    const auto row = row_changes(node, changes);
    if (row.mode || row.atime || row.mtime) {
      files_.database().transact_repeatable([&](metadata::Transaction& tx) {
        metadata::Nodes(tx).change(identity_.account, node.id, row);
      });
    }
    return storage::ready_future();
  });
}

/// Opens, resizes and closes the file, whose close() then commits.
storage::Future<void> Vfs::resize(const metadata::Node& node, const AttributeChanges& changes,
                                  std::uint64_t seen) {
  if (node.kind != NodeKind::file) throw Error(ErrorCode::is_a_directory, "not a file");
  if (!(node.mode & owner_may_write)) {
    throw Error(ErrorCode::permission_denied, "the file is write-protected");
  }
  (void)row_changes(node, changes);  // Nobody is told what fails once it waits for its turn.
  FileHandle handle(files_, files_.open_files().open(identity_, node, seen), {.write = true},
                    node.name);
  auto changed = handle.set_attributes(changes);
  if (changed.ready()) changed.get();
  return handle.close();
}

std::unique_ptr<FileHandle> Vfs::open_file(std::string_view path, OpenFlags flags,
                                           const AttributeChanges& initial) {
  return translated([&] {
    const bool make_new = flags.create && flags.exclusive;
    const std::uint64_t seen = files_.open_files().commits();
    Destination place = find(path, make_new ? Links::keep : Links::follow);
    if (make_new && place.exists()) throw Error(ErrorCode::already_exists, "the file exists");
    auto maker = Maker::others;
    if (!place.exists() && flags.create) maker = create_file(place, path, initial, flags);
    const bool created = maker == Maker::we;
    const metadata::Node& node = existing(place).node();
    if (node.kind == NodeKind::directory) throw Error(ErrorCode::is_a_directory, "a directory");
    const bool forbidden = (flags.read && !(node.mode & owner_may_read)) ||
                           (flags.write && !(node.mode & owner_may_write));
    if (!created && forbidden) {
      throw Error(ErrorCode::permission_denied, "the file's mode forbids it");
    }
    auto file = files_.open_files().open(identity_, node, seen);
    if (maker != Maker::others) file->created();
    auto handle = std::make_unique<FileHandle>(files_, file, flags, place.path());
    if (flags.truncate && flags.write && !created) {
      AttributeChanges empty;
      empty.size = 0;
      auto emptied = handle->set_attributes(empty);
      if (emptied.ready()) emptied.get();
    }
    if (flags.read && !flags.write) {
      if (node.size <= prefetch_max) file->prefetch(prefetch_max);
      if (place.trail.size() > 1) next_files_->opened(node.parent, node.name);
    }
    return handle;
  });
}

/// Makes the missing file, unless another client was faster, and completes `place`.
Vfs::Maker Vfs::create_file(Destination& place, std::string_view path,
                            const AttributeChanges& initial, const OpenFlags& flags) {
  if (path.ends_with('/')) throw Error(ErrorCode::is_a_directory, "a file's name ends in a slash");
  check_writable(place.directory());
  metadata::NewNode file;
  file.parent = place.directory().id;
  file.name = *place.missing;
  file.kind = NodeKind::file;
  file.mode = initial.permissions.value_or(0666) & 07777 & ~files_.options().umask;
  file.uid = identity_.uid;
  file.gid = identity_.gid;
  if (initial.atime) file.atime = from_seconds(*initial.atime);
  if (initial.mtime) file.mtime = from_seconds(*initial.mtime);
  const bool may_open_others = (!flags.read || (file.mode & owner_may_read)) &&
                               (!flags.write || (file.mode & owner_may_write));
  auto otherwise = Maker::others;
  try {
    std::optional<metadata::Node> made;
    if (!flags.exclusive && may_open_others) {
      made = insert_at_once(file);
      if (!made) otherwise = Maker::unknown;
    }
    place.trail.push_back(made ? *made : insert(file, metadata::Durability::later));
    place.missing.reset();
    return Maker::we;
  } catch (const metadata::Error& error) {
    if (error.code() != metadata::ErrorCode::already_exists || flags.exclusive) throw;
    place = find(path, Links::follow);
    return otherwise;
  }
}

/// CLOSE commits durably, and the entry with it: the log is one sequence. Two round trips less than
/// insert(), but nobody knows the entry's id where it is in doubt: then the answer is nothing.
std::optional<metadata::Node> Vfs::insert_at_once(const metadata::NewNode& file) {
  try {
    return files_.database().execute([&](metadata::Transaction& tx) {
      return metadata::Nodes(tx).insert_later(identity_.account, file);
    });
  } catch (const metadata::Error& error) {
    if (error.code() != metadata::ErrorCode::in_doubt) throw;
    return {};
  }
}

std::unique_ptr<OpenDirectory> Vfs::open_directory(std::string_view path) {
  return translated([&] {
    const Destination place = find(path, Links::follow);
    const auto& node = existing(place).node();
    if (node.kind != NodeKind::directory) {
      throw Error(ErrorCode::not_a_directory, "not a directory");
    }
    if (!(node.mode & owner_may_read)) {
      throw Error(ErrorCode::permission_denied, "the directory may not be read");
    }
    return std::make_unique<OpenDirectory>(files_, identity_.account, node, place.directory());
  });
}

metadata::NewNode Vfs::new_entry(const Destination& place, NodeKind kind) const {
  if (place.exists()) throw Error(ErrorCode::already_exists, "the name exists");
  check_writable(place.directory());
  metadata::NewNode entry;
  entry.parent = place.directory().id;
  entry.name = *place.missing;
  entry.kind = kind;
  entry.uid = identity_.uid;
  entry.gid = identity_.gid;
  return entry;
}

/// Where a COMMIT is in doubt, the entry's id tells whether it happened: ids are not used again.
metadata::Node Vfs::insert(const metadata::NewNode& entry, metadata::Durability durability) {
  std::optional<metadata::NodeId> id;
  std::optional<metadata::Node> made;
  const auto look = [&](metadata::Transaction& tx) {
    made.reset();
    if (id) made = metadata::Nodes(tx).find(identity_.account, *id);
  };
  const auto attempt = [&](metadata::Transaction& tx) {
    look(tx);
    if (!made) made = metadata::Nodes(tx).insert(identity_.account, entry);
    id = made->id;
  };
  try {
    files_.database().transact_repeatable(attempt, durability);
  } catch (const metadata::Error& error) {
    // The first attempt may have been committed while the next one waited for it.
    if (error.code() != metadata::ErrorCode::already_exists || !id) throw;
    files_.database().transact_repeatable(look);
    if (!made) throw;
  }
  return *made;
}

void Vfs::make_directory(std::string_view path, const AttributeChanges& initial) {
  translated([&] {
    auto directory = new_entry(find(path, Links::keep), NodeKind::directory);
    directory.mode = initial.permissions.value_or(0777) & 07777 & ~files_.options().umask;
    insert(directory, metadata::Durability::now);
  });
}

void Vfs::make_link(std::string_view target, std::string_view link_path) {
  translated([&] {
    if (target.empty() || target.size() > link_target_max) {
      throw Error(ErrorCode::bad_name, "a link's target has 1 to 4096 bytes");
    }
    (void)split_path(target);
    auto link = new_entry(find(link_path, Links::keep), NodeKind::symlink);
    link.mode = 0777;
    link.link_target = target;
    insert(link, metadata::Durability::now);
  });
}

std::string Vfs::read_link(std::string_view path) {
  return translated([&] {
    const Destination place = find(path, Links::keep);
    const auto& node = existing(place).node();
    if (node.kind != NodeKind::symlink) throw Error(ErrorCode::not_a_link, "not a link");
    return node.link_target;
  });
}

void Vfs::remove_directory(std::string_view path) {
  translated([&] {
    const Destination place = find(path, Links::keep);
    const auto& node = existing(place).node();
    if (node.kind != NodeKind::directory) {
      throw Error(ErrorCode::not_a_directory, "not a directory");
    }
    if (place.trail.size() == 1) throw Error(ErrorCode::permission_denied, "the root stays");
    check_writable(place.directory());
    remove_node(node.id);
  });
}

/// Twice is as good as once.
void Vfs::remove_node(metadata::NodeId node) {
  files_.database().transact_repeatable(
      [&](metadata::Transaction& tx) { metadata::Nodes(tx).remove(identity_.account, node); });
}

void Vfs::remove_file(std::string_view path) {
  translated([&] {
    const Destination place = find(path, Links::keep);
    const auto& node = existing(place).node();
    if (node.kind == NodeKind::directory) throw Error(ErrorCode::is_a_directory, "a directory");
    check_writable(place.directory());
    files_.open_files().orphan(identity_.account, node.file, [&] { remove_node(node.id); });
  });
}

Vfs::Move Vfs::find_move(std::string_view from, std::string_view to) {
  Move move{find(from, Links::keep), find(to, Links::keep)};
  existing(move.from);
  if (move.from.trail.size() == 1) throw Error(ErrorCode::permission_denied, "the root stays");
  check_writable(move.from.directory());
  check_writable(move.to.directory());
  return move;
}

void Vfs::rename_to_new_name(const Move& move) {
  files_.database().transact_repeatable([&](metadata::Transaction& tx) {
    metadata::Nodes(tx).rename(identity_.account, move.from.node().id, move.to.directory().id,
                               *move.to.missing);
  });
}

/// Where a COMMIT is in doubt it matters what happened: an open file of the target must not be
/// committed over what replaced it.
metadata::NodeId Vfs::replace(metadata::NodeId source, const metadata::Node& target) {
  std::optional<metadata::NodeId> kept;
  bool tried = false;
  const auto look = [&](metadata::Transaction& tx) {
    kept = metadata::Nodes(tx).replaced(identity_.account, source, target);
  };
  const auto attempt = [&](metadata::Transaction& tx) {
    kept.reset();
    if (std::exchange(tried, true)) look(tx);
    if (!kept) kept = metadata::Nodes(tx).replace(identity_.account, source, target.id);
  };
  try {
    files_.database().transact_repeatable(attempt);
  } catch (const metadata::Error& error) {
    // The first attempt may have been committed while the next one waited for its locks.
    if (error.code() != metadata::ErrorCode::not_found) throw;
    kept.reset();
    files_.database().transact_repeatable(look);
    if (!kept) throw;
  }
  return *kept;
}

void Vfs::rename(std::string_view from, std::string_view to) {
  translated([&] {
    const Move move = find_move(from, to);
    if (move.to.exists()) throw Error(ErrorCode::already_exists, "the new name exists");
    rename_to_new_name(move);
  });
}

storage::Future<void> Vfs::rename_over(std::string_view from, std::string_view to) {
  return translated([&]() -> storage::Future<void> {
    const Move move = find_move(from, to);
    if (!move.to.exists()) {
      rename_to_new_name(move);
      return storage::ready_future();
    }
    if (move.to.trail.size() == 1) throw Error(ErrorCode::permission_denied, "the root stays");
    const auto& source = move.from.node();
    const auto& target = move.to.node();
    if (source.id == target.id) return storage::ready_future();
    if (target.kind == NodeKind::directory && source.kind != NodeKind::directory) {
      throw Error(ErrorCode::is_a_directory, "a directory");
    }
    if (source.kind == NodeKind::directory && target.kind != NodeKind::directory) {
      throw Error(ErrorCode::not_a_directory, "not a directory");
    }
    auto replace_it = [this, source, target] {
      auto& open_files = files_.open_files();
      open_files.orphan(identity_.account, target.file, [&] {
        const metadata::NodeId kept = replace(source.id, target);
        const auto moved = open_files.find(identity_.account, source.file);
        if (moved) moved->move_to_node(kept);
      });
    };
    const auto open = files_.open_files().find(identity_.account, source.file);
    if (!open) {
      replace_it();
      return storage::ready_future();
    }
    return open->after_commit(std::move(replace_it));
  });
}

std::string Vfs::real_path(std::string_view path) {
  return translated([&] { return find(path, Links::follow).path(); });
}

std::size_t Vfs::read_ahead_max() const {
  const BlockCache& cache = files_.cache();
  return cache.has_room(0) ? cache.window_max() : 0;
}

Space Vfs::space(std::string_view path) {
  translated([&] { existing(find(path, Links::follow)); });
  return space();
}

Space Vfs::space() {
  return translated([&] {
    const auto usage = files_.database().query(
        [&](metadata::Transaction& tx) { return metadata::Accounts(tx).usage(identity_.account); });
    // Most object stores have no end: what is shown is large, and doubles exactly.
    constexpr std::uint64_t plenty = std::uint64_t{1} << 50;
    const storage::StoreSpace endless{.total_bytes = std::max(plenty, usage.used_bytes * 2),
                                      .free_bytes = std::max(plenty, usage.used_bytes)};
    const storage::StoreSpace store = files_.store().space().value_or(endless);
    Space space;
    space.total_bytes = usage.quota_bytes.value_or(store.total_bytes);
    const std::uint64_t unused = space.total_bytes - std::min(space.total_bytes, usage.used_bytes);
    space.free_bytes = std::min(unused, store.free_bytes);
    constexpr std::uint64_t many_files = std::uint64_t{1} << 32;
    space.total_files = many_files + usage.files;
    space.free_files = many_files;
    return space;
  });
}

}  // namespace sftpd::vfs
