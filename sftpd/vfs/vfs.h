#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/ids.h"
#include "sftpd/vfs/attributes.h"
#include "sftpd/vfs/error.h"
#include "sftpd/vfs/open_directory.h"
#include "sftpd/vfs/open_file/file_handle.h"
#include "sftpd/vfs/path_walk.h"
#include "storage/future.h"

namespace sftpd::vfs {

class FileSystem;
class ListingPrefetch;

/// Who works on an account's tree.
struct Identity {
  metadata::AccountId account;
  metadata::UserId user;
  std::string name;
  std::uint32_t uid = 1000;
  std::uint32_t gid = 1000;
};

/// An account's tree of files as one logged-in user sees it.
///
/// Paths are the client's bytes: '/'-separated, relative ones start at the home directory "/". They
/// never lead outside the account. Used by the connection's thread; calls may wait for the
/// database, never for the object store (what would wait returns a future). Throws vfs::Error.
class Vfs {
 public:
  /// `files` must outlive it.
  Vfs(FileSystem& files, Identity identity);
  ~Vfs();
  Vfs(const Vfs&) = delete;
  Vfs& operator=(const Vfs&) = delete;

  enum class Links { follow, keep };
  Attributes stat(std::string_view path, Links links);
  /// A size needs the store: hence the future.
  storage::Future<void> set_attributes(std::string_view path, const AttributeChanges& changes,
                                       Links links);

  std::unique_ptr<FileHandle> open_file(std::string_view path, OpenFlags flags,
                                        const AttributeChanges& initial);
  std::unique_ptr<OpenDirectory> open_directory(std::string_view path);

  /// `permissions` count, or 0777, without what the umask takes off.
  void make_directory(std::string_view path, const AttributeChanges& initial);
  void remove_directory(std::string_view path);
  /// Removes a file or a link.
  void remove_file(std::string_view path);

  /// Fails with already_exists if `to` is there.
  void rename(std::string_view from, std::string_view to);
  /// As rename(2): replaces `to` atomically. Waits for a commit of `from` that is under way.
  storage::Future<void> rename_over(std::string_view from, std::string_view to);

  /// `target` is stored as it is, 1 to 4,096 bytes of UTF-8.
  void make_link(std::string_view target, std::string_view link_path);
  std::string read_link(std::string_view path);

  /// The absolute path without ".", ".." and links; what is missing at the end may be one name.
  std::string real_path(std::string_view path);

  /// Of the account. `path` must be there.
  Space space(std::string_view path);
  Space space();

  /// How far a client that reads in order may be read for ahead of it: the less, the more there
  /// are; nothing while answers that clients do not fetch fill the read cache.
  std::size_t read_ahead_max() const;

  const Identity& identity() const { return identity_; }

 private:
  struct Move {
    Destination from, to;
  };

  Destination find(std::string_view path, Links links);
  storage::Future<void> resize(const metadata::Node& node, const AttributeChanges& changes,
                               std::uint64_t seen);
  /// Who made a file that an OPEN has found missing.
  enum class Maker { others, we, unknown };
  Maker create_file(Destination& place, std::string_view path, const AttributeChanges& initial,
                    const OpenFlags& flags);
  std::optional<metadata::Node> insert_at_once(const metadata::NewNode& file);
  metadata::NewNode new_entry(const Destination& place, NodeKind kind) const;
  Move find_move(std::string_view from, std::string_view to);
  void rename_to_new_name(const Move& move);
  metadata::Node insert(const metadata::NewNode& entry, metadata::Durability durability);
  void remove_node(metadata::NodeId node);
  metadata::NodeId replace(metadata::NodeId source, const metadata::Node& target);

  FileSystem& files_;
  Identity identity_;
  metadata::NodeId root_;
  std::unique_ptr<ListingPrefetch> next_files_;
};

}  // namespace sftpd::vfs
