// Sizes, modes and times of an open file: set here, or by another process.

#include <mutex>
#include <utility>

#include "metadata/database.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/node_attributes.h"
#include "sftpd/vfs/open_file/open_file.h"
#include "sftpd/vfs/open_file/open_files.h"
#include "sftpd/vfs/writing/object_writer.h"

namespace sftpd::vfs {

storage::Future<void> OpenFile::set_attributes(const AttributeChanges& changes) {
  return submit([this, changes](bool may_wait) { return attributes_step(changes, may_wait); },
                changes.size ? Effect::changes_content : Effect::none, {.changes = changes});
}

/// What is written behind a size that could not be set must not become the file.
Step OpenFile::resize_step(std::uint64_t size, bool may_wait) try {
  return truncate_step(size, may_wait);
} catch (...) {
  remember_failure();
  throw;
}

Step OpenFile::truncate_step(std::uint64_t size, bool may_wait) {
  throw_if_failed();
  bool spoils = false;
  {
    std::lock_guard lock(mutex_);
    spoils = recoverable_behind_locked(size);
  }
  if (spoils) {
    if (!may_wait) return Step::needs_thread;
    end_recovery();
  }
  {
    std::lock_guard lock(mutex_);
    if (size == size_) {
      // Committed all the same: what a crash left of an earlier upload must not follow.
      if (!dirty_) touch_locked();
      return Step::done;
    }
    if (!stream_ || size >= stream_->end()) {
      content_.truncate(size);
      if (size == 0) mime_.clear();
      size_ = size;
      touch_locked();
      return Step::done;
    }
    if (size <= stream_->file_offset()) {
      content_.truncate(size);
      stream_->abandon();
      stream_ = nullptr;
      if (size == 0) mime_.clear();
      size_ = size;
      touch_locked();
      return Step::done;
    }
  }
  if (!may_wait) return Step::needs_thread;
  cut_stream(false);
  return truncate_step(size, may_wait);
}

Step OpenFile::attributes_step(const AttributeChanges& changes, bool may_wait) {
  {
    std::lock_guard lock(mutex_);
    (void)row_changes(node_, changes);  // Refused before the size changes: all of it or nothing.
  }
  if (changes.size) {
    const Step step = resize_step(*changes.size, may_wait);
    if (step != Step::done) return step;
  }
  metadata::NodeChanges row;
  metadata::NodeId id;
  {
    std::lock_guard lock(mutex_);
    row = row_changes(node_, changes);
    if (row.mode) node_.mode = *row.mode;
    if (row.atime) node_.atime = *row.atime;
    if (row.mtime) node_.mtime = *row.mtime;
    if (orphaned_) return Step::done;
    if (dirty_) {
      // They travel with the commit, or would be lost by it; the mode too, one round trip less.
      attributes_pending_ = true;
      return Step::done;
    }
    id = node_.id;
  }
  if (!row.mode && !row.atime && !row.mtime) return Step::done;
  files_.database().transact_repeatable([&](metadata::Transaction& tx) {
    metadata::Nodes(tx).change_file(account_, id, file_id_, row);
  });
  files_.open_files().committed(account_, file_id_);
  return Step::done;
}

Attributes OpenFile::attributes() {
  std::lock_guard lock(mutex_);
  return attributes_locked();
}

Attributes OpenFile::attributes_locked() const {
  Attributes attributes = attributes_of(node_);
  attributes.size = failure_ && !orphaned_ ? base_size_ : size_;
  for (const auto& [number, expected] : expected_) expected.apply_to(attributes);
  return attributes;
}

bool OpenFile::ahead_of_database() {
  std::lock_guard lock(mutex_);
  return (dirty_ || attributes_pending_ || !expected_.empty()) && !orphaned_;
}

bool OpenFile::settled_locked() const {
  return !dirty_ && !attributes_pending_ && !orphaned_ && expected_.empty();
}

std::optional<std::uint64_t> OpenFile::settled() {
  std::lock_guard lock(mutex_);
  if (!settled_locked()) return {};
  return next_expected_;
}

void OpenFile::take_attributes(const metadata::Node& row, std::uint64_t settled) {
  std::lock_guard lock(mutex_);
  if (!settled_locked() || next_expected_ != settled) return;
  if (row.version != node_.version || row.ctime < row_ctime_) return;
  node_.mode = row.mode;
  node_.uid = row.uid;
  node_.gid = row.gid;
  node_.atime = row.atime;
  node_.mtime = row.mtime;
  node_.ctime = row_ctime_ = row.ctime;
}

}  // namespace sftpd::vfs
