#include "sftpd/vfs/open_directory.h"

#include <algorithm>

#include "metadata/database.h"
#include "metadata/names/cached_nodes.h"
#include "sftpd/vfs/error.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/node_attributes.h"
#include "sftpd/vfs/open_file/open_file.h"
#include "sftpd/vfs/open_file/open_files.h"

namespace sftpd::vfs {

namespace {
/// Whoever commits all the time makes us look again: not for ever.
constexpr int stale_reads_max = 4;
}  // namespace

OpenDirectory::OpenDirectory(FileSystem& files, metadata::AccountId account,
                             metadata::Node directory, metadata::Node parent)
    : files_(files),
      account_(account),
      directory_(std::move(directory)),
      parent_(std::move(parent)) {}

std::vector<DirectoryEntry> OpenDirectory::next(int limit) {
  std::vector<DirectoryEntry> entries;
  if (!begun_) {
    begun_ = true;
    entries.push_back({".", attributes_of(directory_)});
    entries.push_back({"..", attributes_of(parent_)});
  }
  if (ended_) return entries;
  std::vector<metadata::Node> nodes;
  const std::uint64_t seen = files_.open_files().commits();
  try {
    nodes = metadata::CachedNodes(files_.database()).list(account_, directory_.id, after_, limit);
  } catch (...) {
    throw as_vfs_error(std::current_exception());
  }
  ended_ = nodes.size() < static_cast<std::size_t>(limit);
  if (!nodes.empty()) after_ = nodes.back().name;
  for (auto& node : nodes) {
    const Attributes attributes =
        node.kind == NodeKind::file ? attributes_of_file(node, seen) : attributes_of(node);
    entries.push_back({std::move(node.name), attributes});
  }
  return entries;
}

Attributes OpenDirectory::attributes() {
  try {
    auto found = files_.database().query([&](metadata::Transaction& tx) {
      return metadata::Nodes(tx).find(account_, directory_.id);
    });
    if (found) directory_ = std::move(*found);
  } catch (...) {
    throw as_vfs_error(std::current_exception());
  }
  return attributes_of(directory_);
}

void OpenDirectory::set_attributes(const AttributeChanges& changes) {
  if (changes.size) throw Error(ErrorCode::is_a_directory, "not a file");
  const auto row = row_changes(directory_, changes);
  if (!row.mode && !row.atime && !row.mtime) return;
  try {
    files_.database().transact_repeatable([&](metadata::Transaction& tx) {
      metadata::Nodes(tx).change(account_, directory_.id, row);
    });
  } catch (...) {
    throw as_vfs_error(std::current_exception());
  }
}

/// Those of its open file while that is ahead of the row. A file that was committed between our two
/// looks is neither in the row we read nor ahead of it any more: then its row is read again.
Attributes OpenDirectory::attributes_of_file(const metadata::Node& listed, std::uint64_t seen) {
  metadata::Node node = listed;
  auto& open_files = files_.open_files();
  for (int attempt = 1;; ++attempt) {
    const auto open = open_files.find(account_, node.file);
    if (open && open->ahead_of_database()) return open->attributes();
    if (attempt == stale_reads_max || !open_files.committed_since(seen, account_, node.file)) break;
    seen = open_files.commits();
    try {
      auto found = files_.database().query(
          [&](metadata::Transaction& tx) { return metadata::Nodes(tx).find(account_, node.id); });
      if (!found) break;
      node = std::move(*found);
    } catch (...) {
      throw as_vfs_error(std::current_exception());
    }
  }
  return attributes_of(node);
}

}  // namespace sftpd::vfs
