#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/database.h"
#include "metadata/ids.h"
#include "metadata/repositories/nodes.h"

namespace sftpd::vfs {

/// A path's components without empty ones and "."; ".." stay. Throws bad_name for NUL, invalid
/// UTF-8, more than 4,096 bytes or a component of more than 255.
std::vector<std::string> split_path(std::string_view path);

/// Where a path leads. `trail` runs from the account's root to the node, or to its parent
/// directory if the last name is missing.
struct Destination {
  std::vector<metadata::Node> trail;
  std::optional<std::string> missing;  ///< the last name, if there is no such entry

  bool exists() const { return !missing; }
  const metadata::Node& node() const { return trail.back(); }
  /// The directory that holds the last name.
  const metadata::Node& directory() const {
    return missing || trail.size() < 2 ? trail.back() : trail[trail.size() - 2];
  }
  /// Absolute and without links.
  std::string path() const;
};

/// Follows paths through one account's tree: one query, and one more for each link on the way.
class PathWalk {
 public:
  PathWalk(metadata::Database& database, metadata::AccountId account, metadata::NodeId root)
      : database_(database), account_(account), root_(root) {}

  enum class LastLink { follow, keep };
  /// Throws not_found where anything but the last name is missing, not_a_directory,
  /// too_many_links, permission_denied (a directory without its x bit), bad_name.
  Destination find(std::string_view path, LastLink last_link) const;

 private:
  metadata::Database& database_;
  metadata::AccountId account_;
  metadata::NodeId root_;
};

}  // namespace sftpd::vfs
