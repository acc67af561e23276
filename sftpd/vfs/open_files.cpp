#include "sftpd/vfs/open_files.h"

#include "metadata/database.h"
#include "metadata/repositories/versions.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/vfs.h"

namespace sftpd::vfs {

namespace {
/// Enough for one file's memory to come back before the next one is asked.
constexpr std::chrono::milliseconds relief_interval{50};
}  // namespace

std::shared_ptr<OpenFile> OpenFiles::open(const Identity& who, const metadata::Node& node) {
  const Key key{who.account, node.id};
  auto known = find(who.account, node.id);
  if (known && known->version() == node.version) return known;
  metadata::Version version;
  if (node.version) {
    auto loaded = files_.database().query([&](metadata::Transaction& tx) {
      return metadata::Versions(tx).load(who.account, *node.version);
    });
    if (!loaded) throw Error(ErrorCode::content_damaged, "a file's version is missing");
    version = std::move(*loaded);
  }
  Content content = Content::of(version);
  std::unique_lock lock(mutex_);
  auto& place = table_[key];
  if (auto file = place.lock()) {
    lock.unlock();
    file->refresh(node, std::move(content), version.mime);
    return file;
  }
  auto file = hold(new OpenFile(files_, who.account, who.user, node, std::move(content),
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
  const Key key{file->account(), file->node()};
  delete file;
  std::lock_guard lock(mutex_);
  const auto entry = table_.find(key);
  if (entry != table_.end() && entry->second.expired()) table_.erase(entry);
  --alive_;
  changed_.notify_all();
}

std::shared_ptr<OpenFile> OpenFiles::find(metadata::AccountId account, metadata::NodeId node) {
  std::lock_guard lock(mutex_);
  const auto entry = table_.find({account, node});
  return entry == table_.end() ? nullptr : entry->second.lock();
}

void OpenFiles::orphan(metadata::AccountId account, metadata::NodeId node,
                       const std::function<void()>& remove_name) {
  const auto file = find(account, node);
  if (!file) return remove_name();
  file->set_orphaned(true);
  try {
    remove_name();
  } catch (...) {
    file->set_orphaned(false);
    throw;
  }
  std::lock_guard lock(mutex_);
  table_.erase({account, node});
}

void OpenFiles::move(metadata::AccountId account, metadata::NodeId from, metadata::NodeId to) {
  std::shared_ptr<OpenFile> file;  // Outlives the lock: the last one to let go takes it.
  std::lock_guard lock(mutex_);
  const auto entry = table_.find({account, from});
  if (entry == table_.end()) return;
  file = entry->second.lock();
  table_.erase(entry);
  if (!file) return;
  file->move_to_node(to);
  table_[{account, to}] = file;
}

void OpenFiles::relieve_pressure(const OpenFile& asking) {
  std::vector<std::shared_ptr<OpenFile>> open;
  {
    std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (now - relieved_at_ < relief_interval) return;
    relieved_at_ = now;
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
  if (largest) largest->relieve();
}

bool OpenFiles::wait_until_none(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return alive_ == 0; });
}

}  // namespace sftpd::vfs
