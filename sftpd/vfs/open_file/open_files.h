#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "metadata/ids.h"
#include "metadata/repositories/nodes.h"
#include "sftpd/vfs/open_file/open_file.h"

namespace sftpd::vfs {

class FileSystem;
struct Identity;

/// All files that are open in this process, whichever nodes they have. Safe from any thread.
class OpenFiles {
 public:
  explicit OpenFiles(FileSystem& files) : files_(files) {}

  /// Counts what open files of this process changed: commits, and attributes that were set. Read it
  /// before a node that is to be opened.
  std::uint64_t commits() const { return commits_; }
  /// Called before the file stops being ahead of the database.
  void committed(metadata::AccountId account, metadata::FileId file);
  /// Whether this process has changed the file in that way since commits() were `seen`; also true
  /// where so many changes have been made that nobody knows any more.
  bool committed_since(std::uint64_t seen, metadata::AccountId account, metadata::FileId file);

  /// The open file of a node, made or brought up to date from its current version; may wait for the
  /// database. `node` was read after commits() were `seen`. Throws not_found.
  std::shared_ptr<OpenFile> open(const Identity& who, const metadata::Node& node,
                                 std::uint64_t seen);

  /// Null if it is not open.
  std::shared_ptr<OpenFile> find(metadata::AccountId account, metadata::FileId file);

  /// Runs `remove_name`, which takes a file's name away. If it is open, it lives on without a name,
  /// out of the table. When it throws, all is as before.
  void orphan(metadata::AccountId account, metadata::FileId file,
              const std::function<void()>& remove_name);

  /// Lets the idle file that holds the most memory (but not `asking`) give it back, one at a time.
  /// Whoever asks then waits for the memory pool's next release: there will be one.
  void relieve_pressure(const OpenFile& asking);
  /// That file is done with it.
  void relieved();

  /// How many there are, those that still commit included.
  int count() const;

  /// Waits until no file is open, at most `limit`. False if some still are.
  bool wait_until_none(std::chrono::milliseconds limit);

 private:
  using Key = std::pair<metadata::AccountId, metadata::FileId>;
  bool bring_up_to_date(OpenFile& known, const metadata::Node& current, std::uint64_t seen);
  metadata::Node read_again(metadata::AccountId account, metadata::NodeId node);
  std::shared_ptr<OpenFile> hold(OpenFile* file);
  /// Makes the file and puts it into the table; null if there is one.
  std::shared_ptr<OpenFile> add(const Identity& who, const metadata::Node& node);
  void closed(OpenFile* file);

  FileSystem& files_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Key, std::weak_ptr<OpenFile>> table_;
  std::deque<Key> committed_;  ///< the last ones, oldest first
  int alive_ = 0;
  bool relieving_ = false;
  std::atomic<std::uint64_t> commits_ = 0;
};

}  // namespace sftpd::vfs
