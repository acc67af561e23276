#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "metadata/ids.h"

namespace sftpd::vfs {

class FileSystem;

/// Notices that a client opens files in the order of a listing (`get -r`, photo apps), and fetches
/// the content of the next ones into the cache before they are opened.
///
/// One a session, used by the connection's thread. Fetching happens on the executor, within the
/// session's share of the cache; what it guessed wrong goes out of the cache again.
class ListingPrefetch {
 public:
  /// `files` must outlive it, and finish what its executor runs.
  ListingPrefetch(FileSystem& files, metadata::AccountId account);

  /// The client opened a file for reading only.
  void opened(metadata::NodeId directory, const std::string& name);

 private:
  /// What is shared with the executor.
  struct Ahead {
    std::mutex mutex;
    std::deque<std::string> names;  ///< of files fetched and not opened yet, in order
    bool asking = false;
    bool at_end = false;  ///< the directory has no more
  };

  void start_over(metadata::NodeId directory, const std::string& name);
  bool was_expected(const std::string& name);
  void ask();
  static void fetch(FileSystem& files, metadata::AccountId account, metadata::NodeId directory,
                    const std::string& after, Ahead& ahead);

  FileSystem& files_;
  metadata::AccountId account_;
  metadata::NodeId directory_;
  std::string last_;  ///< the last name in order that was opened
  int in_order_ = 0;
  int misses_ = 0;
  std::shared_ptr<Ahead> ahead_;
};

}  // namespace sftpd::vfs
