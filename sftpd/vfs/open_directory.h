#pragma once

#include <string>
#include <vector>

#include "metadata/ids.h"
#include "sftpd/vfs/attributes.h"

namespace sftpd::vfs {

class FileSystem;

/// A directory being listed, in pages by name. Used by the connection's thread.
///
/// Entries that stay are listed exactly once; one that comes, goes or is renamed meanwhile may or
/// may not be.
class OpenDirectory {
 public:
  OpenDirectory(FileSystem& files, metadata::AccountId account, metadata::Node directory,
                metadata::Node parent);

  /// The next entries, at most `limit`, beginning with "." and ".."; none at the end.
  std::vector<DirectoryEntry> next(int limit);

  /// Its own, wherever it has moved meanwhile; once it is removed, those it had last.
  Attributes attributes();
  /// Throws is_a_directory for a size. Does nothing to one that is removed.
  void set_attributes(const AttributeChanges& changes);

 private:
  Attributes attributes_of_file(const metadata::Node& listed, std::uint64_t seen);

  FileSystem& files_;
  metadata::AccountId account_;
  metadata::Node directory_;
  metadata::Node parent_;
  std::string after_;
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace sftpd::vfs
