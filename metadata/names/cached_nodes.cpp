#include "metadata/names/cached_nodes.h"

#include "metadata/names/node_cache.h"

namespace metadata {

std::vector<Node> CachedNodes::walk(AccountId account, NodeId start,
                                    const std::vector<std::string>& names) {
  auto& cache = database_.node_cache();
  if (auto known = cache.walk(account, start, names)) return std::move(*known);
  const auto ticket = cache.begin_reading(account);
  auto found =
      database_.query([&](Transaction& tx) { return Nodes(tx).walk(account, start, names); });
  cache.remember_walk(account, ticket, names, found);
  if (!names.empty() && found.size() == names.size() + 1) read_behind(account, found.back());
  return found;
}

/// Who asks for a directory's names one after the other is going to ask for the next ones.
void CachedNodes::read_behind(AccountId account, const Node& node) {
  const int count = database_.node_cache().worth_reading_behind(account, node);
  if (count > 0) (void)list(account, node.parent, node.name, count);
}

std::vector<Node> CachedNodes::list(AccountId account, NodeId parent, const std::string& after,
                                    int limit) {
  auto& cache = database_.node_cache();
  const auto ticket = cache.begin_reading(account);
  auto nodes = database_.query(
      [&](Transaction& tx) { return Nodes(tx).list(account, parent, after, limit); });
  cache.remember(account, ticket, nodes);
  return nodes;
}

}  // namespace metadata
