#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "metadata/ids.h"
#include "metadata/repositories/nodes.h"
#include "sftpd/vfs/open_file.h"

namespace sftpd::vfs {

class FileSystem;
struct Identity;

/// All files that are open in this process, by node. Safe from any thread.
class OpenFiles {
 public:
  explicit OpenFiles(FileSystem& files) : files_(files) {}

  /// The open file of a node, made or brought up to date from its current version; may wait for the
  /// database. `node` is as just read.
  std::shared_ptr<OpenFile> open(const Identity& who, const metadata::Node& node);

  /// The open file of a node, if there is one.
  std::shared_ptr<OpenFile> find(metadata::AccountId account, metadata::NodeId node);

  /// Runs `remove_name`, which takes a node's name away, with the node's open file (if any) out of
  /// the table: it lives on without a name. When it throws, all is as before.
  void orphan(metadata::AccountId account, metadata::NodeId node,
              const std::function<void()>& remove_name);

  /// The open file of `from`, if any, is now that of `to`.
  void move(metadata::AccountId account, metadata::NodeId from, metadata::NodeId to);

  /// Lets the file that holds the most memory (but not `asking`) give it back.
  void relieve_pressure(const OpenFile& asking);

  /// Waits until no file is open, at most `limit`. False if some still are.
  bool wait_until_none(std::chrono::milliseconds limit);

 private:
  using Key = std::pair<metadata::AccountId, metadata::NodeId>;
  std::shared_ptr<OpenFile> hold(OpenFile* file);
  void closed(OpenFile* file);

  FileSystem& files_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Key, std::weak_ptr<OpenFile>> table_;
  int alive_ = 0;
  std::chrono::steady_clock::time_point relieved_at_{};
};

}  // namespace sftpd::vfs
