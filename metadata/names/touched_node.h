#pragma once

#include <optional>
#include <string>

#include "metadata/ids.h"

namespace metadata {

/// What a transaction changed of the tree: a node's row, or whether a directory has a name.
struct TouchedNode {
  AccountId account;
  NodeId node;                      ///< or the directory, if there is a name
  std::optional<std::string> name;  ///< an entry that came, under this name
};

}  // namespace metadata
