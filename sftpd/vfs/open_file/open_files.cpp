#include "sftpd/vfs/open_file/open_files.h"

#include <algorithm>

#include "metadata/database.h"
#include "metadata/repositories/versions.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/vfs.h"
#include "sftpd/vfs/writing/memory_pool.h"

namespace sftpd::vfs {

namespace {
/// More than are made while somebody reads a page of a directory.
constexpr std::size_t committed_max = 1024;
}  // namespace

metadata::Version load_version(FileSystem& files, metadata::AccountId account,
                               metadata::VersionId id) {
  auto version = files.database().query(
      [&](metadata::Transaction& tx) { return metadata::Versions(tx).load(account, id); });
  if (!version) throw Error(ErrorCode::content_damaged, "a file's version is missing");
  return std::move(*version);
}

void OpenFiles::committed(metadata::AccountId account, metadata::FileId file) {
  std::lock_guard lock(mutex_);
  committed_.emplace_back(account, file);
  if (committed_.size() > committed_max) committed_.pop_front();
  ++commits_;
}

bool OpenFiles::committed_since(std::uint64_t seen, metadata::AccountId account,
                                metadata::FileId file) {
  if (commits_ == seen) return false;
  std::lock_guard lock(mutex_);
  const std::uint64_t since = commits_ - seen;
  if (since > committed_.size()) return true;
  return std::find(committed_.end() - static_cast<std::ptrdiff_t>(since), committed_.end(),
                   Key{account, file}) != committed_.end();
}

std::shared_ptr<OpenFile> OpenFiles::open(const Identity& who, const metadata::Node& node,
                                          std::uint64_t seen) {
  metadata::Node current = node;
  for (;;) {
    if (const auto known = find(who.account, current.file)) {
      if (bring_up_to_date(*known, current, seen)) return known;
    } else if (auto made = add(who, current)) {
      // Somebody may have committed and gone between the reading of the node and now.
      if (commits_ == seen || made->catch_up(current.id)) return made;
    }
    seen = commits_;
    current = read_again(who.account, node.id);
  }
}

/// False if the node has to be read again: what was read is older than something that this process
/// has changed, or the file has no name any more.
bool OpenFiles::bring_up_to_date(OpenFile& known, const metadata::Node& current,
                                 std::uint64_t seen) {
  if (known.version() != current.version) return known.catch_up(current.id);
  const auto settled = known.settled();
  if (!settled) return true;
  if (committed_since(seen, known.account(), current.file)) return false;
  known.take_attributes(current, *settled);
  return true;
}

metadata::Node OpenFiles::read_again(metadata::AccountId account, metadata::NodeId node) {
  auto found = files_.database().query(
      [&](metadata::Transaction& tx) { return metadata::Nodes(tx).find(account, node); });
  if (!found) throw Error(ErrorCode::not_found, "the file is gone");
  return std::move(*found);
}

std::shared_ptr<OpenFile> OpenFiles::add(const Identity& who, const metadata::Node& node) {
  metadata::Version version;
  if (node.version) version = load_version(files_, who.account, *node.version);
  std::lock_guard lock(mutex_);
  auto& place = table_[{who.account, node.file}];
  if (!place.expired()) return nullptr;
  auto file = hold(new OpenFile(files_, who.account, who.user, node, Content::of(version),
                                std::move(version.mime)));
  place = file;
  return file;
}

/// Counts the file, and takes it out of the table when the last one lets go.
std::shared_ptr<OpenFile> OpenFiles::hold(OpenFile* file) {
  ++alive_;
  return {file, [this](OpenFile* last) { closed(last); }};
}

void OpenFiles::closed(OpenFile* file) {
  const Key key{file->account(), file->file()};
  delete file;
  std::lock_guard lock(mutex_);
  const auto entry = table_.find(key);
  if (entry != table_.end() && entry->second.expired()) table_.erase(entry);
  --alive_;
  changed_.notify_all();
}

std::shared_ptr<OpenFile> OpenFiles::find(metadata::AccountId account, metadata::FileId file) {
  std::lock_guard lock(mutex_);
  const auto entry = table_.find({account, file});
  return entry == table_.end() ? nullptr : entry->second.lock();
}

void OpenFiles::orphan(metadata::AccountId account, metadata::FileId file,
                       const std::function<void()>& remove_name) {
  const auto open = find(account, file);
  if (!open) return remove_name();
  open->orphan([&] {
    remove_name();
    std::lock_guard lock(mutex_);
    table_.erase({account, file});
  });
}

void OpenFiles::relieve_pressure(const OpenFile& asking) {
  files_.memory().look_again_when_idle();
  std::vector<std::shared_ptr<OpenFile>> open;
  {
    std::lock_guard lock(mutex_);
    if (relieving_) return;
    relieving_ = true;
    for (const auto& [key, place] : table_) {
      if (auto file = place.lock()) open.push_back(std::move(file));
    }
  }
  std::shared_ptr<OpenFile> largest;
  std::size_t most = 0;
  for (const auto& file : open) {
    if (file.get() == &asking || !file->idle()) continue;
    const std::size_t held = file->buffered();
    if (held > most) {
      most = held;
      largest = file;
    }
  }
  if (largest) return largest->relieve();
  std::lock_guard lock(mutex_);
  relieving_ = false;
}

void OpenFiles::relieved() {
  {
    std::lock_guard lock(mutex_);
    relieving_ = false;
  }
  files_.memory().release(0);  // Whoever waits looks again, whatever came of it.
}

int OpenFiles::count() const {
  std::lock_guard lock(mutex_);
  return alive_;
}

bool OpenFiles::wait_until_none(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return alive_ == 0; });
}

}  // namespace sftpd::vfs
