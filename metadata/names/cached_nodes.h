#pragma once

#include <string>
#include <vector>

#include "metadata/database.h"
#include "metadata/ids.h"
#include "metadata/repositories/nodes.h"

namespace metadata {

/// Nodes::walk and Nodes::list, from memory where that is known to be right, else by a query whose
/// rows are kept. Throws what Database::query() does.
class CachedNodes {
 public:
  explicit CachedNodes(Database& database) : database_(database) {}

  std::vector<Node> walk(AccountId account, NodeId start, const std::vector<std::string>& names);
  std::vector<Node> list(AccountId account, NodeId parent, const std::string& after, int limit);

 private:
  void read_behind(AccountId account, const Node& node);

  Database& database_;
};

}  // namespace metadata
