#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "metadata/ids.h"
#include "metadata/transaction.h"

namespace metadata {

enum class NodeKind { file, directory, symlink };

/// A row of `nodes`: one entry of one directory.
struct Node {
  NodeId id;
  FileId file;
  NodeId parent;  ///< 0 for an account's root directory
  std::string name;
  NodeKind kind = NodeKind::file;
  std::uint32_t mode = 0644;  ///< permission bits only (07777)
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;  ///< bytes; of a symlink, the length of its target
  Time atime, mtime, ctime;
  std::optional<VersionId> version;  ///< a file's current content; none: empty
  std::string link_target;
  bool incomplete = false;  ///< the content is what arrived before a connection was lost
};

struct NewNode {
  NodeId parent;
  std::string name;  ///< valid UTF-8, no NUL or '/', 1 to 255 bytes, not "." or ".."
  NodeKind kind = NodeKind::file;
  std::uint32_t mode = 0644;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string link_target;
  std::optional<Time> atime, mtime;  ///< default: now
};

/// Only what is set changes. ctime becomes now.
struct NodeChanges {
  std::optional<std::uint32_t> mode, uid, gid;
  std::optional<Time> atime, mtime;
};

/// The tree of names. Every function is one round trip unless it says otherwise; every query names
/// the account first and is served by an index.
class Nodes {
 public:
  explicit Nodes(Transaction& transaction) : transaction_(transaction) {}

  std::optional<Node> find(AccountId account, NodeId id);
  std::optional<Node> find_child(AccountId account, NodeId parent, const std::string& name);

  /// Follows `names` from `start` downwards, one recursive query, no symlinks. Returns `start` and
  /// every node found, in order, so fewer than names.size() + 1 where the walk ended. At most 2,048
  /// names. Empty if `start` is gone.
  std::vector<Node> walk(AccountId account, NodeId start, const std::vector<std::string>& names);

  /// The nodes from the account's root down to `id`, both included; empty if `id` is gone.
  std::vector<Node> ancestry(AccountId account, NodeId id);

  /// The next `limit` entries of a directory whose names are bytewise greater than `after` (""
  /// begins), in name order. Keyset pages on the index (account_id, parent_id, name).
  std::vector<Node> list(AccountId account, NodeId parent, const std::string& after, int limit);

  /// Throws already_exists, not_found (parent gone), not_a_directory (parent is none), invalid.
  /// The parent's mtime becomes now (also for remove and rename).
  Node insert(AccountId account, const NewNode& node);
  /// The same for Database::execute(), and without waiting for the disk.
  Node insert_later(AccountId account, const NewNode& node);

  /// False if the node is gone.
  bool change(AccountId account, NodeId id, const NodeChanges& changes);
  /// Of the node that this file has now; `id` is one that it had. False if it has none.
  bool change_file(AccountId account, NodeId id, FileId file, const NodeChanges& changes);

  /// The node that this file has now, locked until the end of the transaction; `id` is one that it
  /// had.
  std::optional<Node> lock_file(AccountId account, NodeId id, FileId file);

  /// Whether the file was once there and somebody took its name away, where it has never had
  /// content; `id` as above.
  bool was_removed(AccountId account, NodeId id);

  /// Moves an entry. Throws already_exists, not_found (entry or new parent gone), would_loop,
  /// not_a_directory, invalid. A few round trips at most, whatever hangs below.
  void rename(AccountId account, NodeId id, NodeId new_parent, const std::string& new_name);

  /// Moves the entry `source` onto the existing `target`, atomically.
  /// Files: the target keeps its id, is the source's file and gets its version, size, times and
  /// mode; its old version goes to history; the source's row goes away and `node_successors`
  /// remembers source -> target so that a commit under way for the source finds its way. Symlink
  /// involved, or directory onto an empty directory: the target goes, the source is renamed.
  /// Returns the id that the name now has. Throws not_found, not_empty, not_a_directory,
  /// would_loop.
  NodeId replace(AccountId account, NodeId source, NodeId target);

  /// Whether replace() has happened, for when its COMMIT was in doubt: the id that the name has.
  /// `target` as it was before.
  std::optional<NodeId> replaced(AccountId account, NodeId source, const Node& target);

  /// Removes an entry; a file's versions leave with it for the retention period. Quota is given
  /// back. Throws not_empty; false if it was gone.
  bool remove(AccountId account, NodeId id);

  /// How a planner runs the queries above, for tests: EXPLAIN (FORMAT TEXT) of each, with a name.
  static std::vector<std::pair<std::string, std::string>> explain_all(Transaction& transaction,
                                                                      AccountId account,
                                                                      NodeId parent);

 private:
  Transaction& transaction_;
};

}  // namespace metadata
