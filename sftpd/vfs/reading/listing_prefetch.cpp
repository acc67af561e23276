#include "sftpd/vfs/reading/listing_prefetch.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "metadata/database.h"
#include "metadata/repositories/versions.h"
#include "sftpd/vfs/executor.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/reading/block_cache.h"

namespace sftpd::vfs {

namespace {

/// Opens in order before we believe it.
constexpr int in_order_min = 3;
/// Opens of other files after which we do not any more: clients with several connections, or that
/// want some kinds of files only.
constexpr int misses_max = 4;
/// Files fetched ahead: at 30 ms to the store and 2 ms to the client, 15 are on their way.
constexpr std::size_t files_max = 24;
constexpr std::size_t files_min = 16;  ///< below it more are fetched
constexpr std::uint64_t bytes_max = std::uint64_t{8} << 20;
/// Larger objects are read ahead of soon enough once they are opened.
constexpr std::uint64_t object_size_max = std::uint64_t{4} << 20;

}  // namespace

ListingPrefetch::ListingPrefetch(FileSystem& files, metadata::AccountId account)
    : files_(files), account_(account), ahead_(std::make_shared<Ahead>()) {}

void ListingPrefetch::opened(metadata::NodeId directory, const std::string& name) {
  if (directory != directory_) return start_over(directory, name);
  if (was_expected(name)) {
    misses_ = 0;
  } else if (name > last_ && ++misses_ >= misses_max && in_order_ >= in_order_min) {
    return start_over(directory, name);
  }
  if (name > last_) {
    last_ = name;
    ++in_order_;
  }
  if (in_order_ >= in_order_min) ask();
}

void ListingPrefetch::start_over(metadata::NodeId directory, const std::string& name) {
  directory_ = directory;
  last_ = name;
  in_order_ = 1;
  misses_ = 0;
  ahead_ = std::make_shared<Ahead>();  // Who still fetches for the old one keeps it.
}

/// Takes the name out, and those before it, which were passed over.
bool ListingPrefetch::was_expected(const std::string& name) {
  std::lock_guard lock(ahead_->mutex);
  auto& names = ahead_->names;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return false;
  names.erase(names.begin(), std::next(found));
  return true;
}

void ListingPrefetch::ask() {
  std::string after = last_;
  {
    std::lock_guard lock(ahead_->mutex);
    if (ahead_->asking || ahead_->at_end || ahead_->names.size() >= files_min) return;
    ahead_->asking = true;
    if (!ahead_->names.empty()) after = std::max(after, ahead_->names.back());
  }
  files_.executor().submit([&files = files_, account = account_, directory = directory_, after,
                            ahead = ahead_] { fetch(files, account, directory, after, *ahead); });
}

void ListingPrefetch::fetch(FileSystem& files, metadata::AccountId account,
                            metadata::NodeId directory, const std::string& after, Ahead& ahead) {
  std::vector<metadata::UpcomingFile> upcoming;
  try {
    upcoming = files.database().query([&](metadata::Transaction& tx) {
      return metadata::Versions(tx).upcoming(account, directory, after,
                                             static_cast<int>(files_max));
    });
  } catch (const std::exception&) {
    // Whoever opens the files is told.
  }
  auto& cache = files.cache();
  const std::uint64_t share = std::min<std::uint64_t>(bytes_max, cache.window_max() / 2);
  std::uint64_t bytes = 0;
  std::deque<std::string> names;
  for (const auto& file : upcoming) {
    if (file.object && file.object->object_size <= object_size_max) {
      const std::uint64_t size = file.object->object_size;
      bytes += size;
      if (bytes > share || !cache.has_room(static_cast<std::size_t>(size))) break;
      cache.get({file.object->object, file.object->key, size}, {0, size}, size);
    }
    names.push_back(file.name);
  }
  if (names.empty()) {  // No room for any: they are passed over.
    for (const auto& file : upcoming) names.push_back(file.name);
  }
  std::lock_guard lock(ahead.mutex);
  ahead.at_end = upcoming.size() < files_max && names.size() == upcoming.size();
  std::move(names.begin(), names.end(), std::back_inserter(ahead.names));
  ahead.asking = false;
}

}  // namespace sftpd::vfs
