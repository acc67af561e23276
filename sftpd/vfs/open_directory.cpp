#include "sftpd/vfs/open_directory.h"

#include <algorithm>

#include "metadata/database.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/node_attributes.h"
#include "sftpd/vfs/open_file.h"
#include "sftpd/vfs/open_files.h"

namespace sftpd::vfs {

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
  try {
    nodes = files_.database().query([&](metadata::Transaction& tx) {
      return metadata::Nodes(tx).list(account_, directory_.id, after_, limit);
    });
  } catch (...) {
    throw as_vfs_error(std::current_exception());
  }
  ended_ = nodes.size() < static_cast<std::size_t>(limit);
  if (!nodes.empty()) after_ = nodes.back().name;
  for (auto& node : nodes) {
    Attributes attributes = attributes_of(node);
    if (node.kind == NodeKind::file) {
      const auto open = files_.open_files().find(account_, node.id);
      if (open) attributes = open->attributes();
    }
    entries.push_back({std::move(node.name), attributes});
  }
  return entries;
}

}  // namespace sftpd::vfs
