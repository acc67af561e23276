// Random operations on Nodes, and on a tree in memory that says what each must do.
#include <map>
#include <random>

#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

struct ModelNode {
  NodeId parent;
  std::string name;
  NodeKind kind = NodeKind::file;
  std::uint64_t size = 0;
};

/// The same rules, written down a second time and simply.
class ModelTree {
 public:
  explicit ModelTree(NodeId root) : root_(root) { nodes[root] = {{}, "", NodeKind::directory, 0}; }

  bool exists(NodeId id) const { return nodes.count(id) > 0; }
  NodeId child(NodeId parent, const std::string& name) const {
    for (const auto& [id, node] : nodes) {
      if (id != root_ && node.parent == parent && node.name == name) return id;
    }
    return {};
  }
  bool is_empty(NodeId parent) const {
    for (const auto& [id, node] : nodes) {
      if (id != root_ && node.parent == parent) return false;
    }
    return true;
  }
  bool is_below(NodeId id, NodeId ancestor) const {
    for (; id != NodeId{}; id = nodes.at(id).parent) {
      if (id == ancestor) return true;
    }
    return false;
  }

  std::optional<ErrorCode> check_parent(NodeId parent) const {
    if (!exists(parent)) return ErrorCode::not_found;
    if (nodes.at(parent).kind != NodeKind::directory) return ErrorCode::not_a_directory;
    return std::nullopt;
  }
  std::optional<ErrorCode> check_insert(NodeId parent, const std::string& name) const {
    if (const auto code = check_parent(parent)) return code;
    if (child(parent, name) != NodeId{}) return ErrorCode::already_exists;
    return std::nullopt;
  }
  std::optional<ErrorCode> check_rename(NodeId id, NodeId parent, const std::string& name) const {
    if (!exists(id)) return ErrorCode::not_found;
    if (id == root_) return ErrorCode::would_loop;
    if (const auto code = check_parent(parent)) return code;
    if (child(parent, name) == id) return std::nullopt;
    if (is_below(parent, id)) return ErrorCode::would_loop;
    if (child(parent, name) != NodeId{}) return ErrorCode::already_exists;
    return std::nullopt;
  }
  std::optional<ErrorCode> check_replace(NodeId source, NodeId target) const {
    if (!exists(source) || !exists(target)) return ErrorCode::not_found;
    if (source == target) return std::nullopt;
    if (source == root_) return ErrorCode::would_loop;
    const bool from_directory = nodes.at(source).kind == NodeKind::directory;
    if (from_directory != (nodes.at(target).kind == NodeKind::directory)) {
      return ErrorCode::not_a_directory;
    }
    if (target == root_) return ErrorCode::not_empty;
    if (from_directory && is_below(target, source)) return ErrorCode::would_loop;
    if (from_directory && !is_empty(target)) return ErrorCode::not_empty;
    return std::nullopt;
  }
  std::optional<ErrorCode> check_remove(NodeId id) const {
    if (id == root_) return ErrorCode::invalid;
    if (exists(id) && !is_empty(id)) return ErrorCode::not_empty;
    return std::nullopt;
  }

  NodeId replace(NodeId source, NodeId target) {
    if (source == target) return target;
    const bool both_files =
        nodes[source].kind == NodeKind::file && nodes[target].kind == NodeKind::file;
    if (both_files) {
      nodes[target].size = nodes[source].size;
      nodes.erase(source);
      return target;
    }
    nodes[source].parent = nodes[target].parent;
    nodes[source].name = nodes[target].name;
    nodes.erase(target);
    return source;
  }

  std::map<NodeId, ModelNode> nodes;

 private:
  NodeId root_;
};

class NodesModel : public MetadataTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  NodesModel() : model(root), random(GetParam()) { known = {root, NodeId{987654}}; }

  NodeId pick() { return known[random() % known.size()]; }
  std::string pick_name() { return std::string(1, static_cast<char>('a' + random() % 5)); }

  void insert() {
    NewNode node;
    node.parent = pick();
    node.name = pick_name();
    node.kind = static_cast<NodeKind>(random() % 3);
    const auto expected = model.check_insert(node.parent, node.name);
    ASSERT_EQ(code_of([&](Repositories& r) {
                const NodeId id = r.nodes.insert(account, node).id;
                model.nodes[id] = {node.parent, node.name, node.kind, 0};
                known.push_back(id);
              }),
              expected);
  }
  void rename() {
    const NodeId id = pick();
    const NodeId parent = pick();
    const std::string name = pick_name();
    const auto expected = model.check_rename(id, parent, name);
    ASSERT_EQ(code_of([&](Repositories& r) { r.nodes.rename(account, id, parent, name); }),
              expected);
    if (!expected) {
      model.nodes[id].parent = parent;
      model.nodes[id].name = name;
    }
  }
  void replace() {
    const NodeId source = pick();
    const NodeId target = pick();
    const auto expected = model.check_replace(source, target);
    NodeId result;
    ASSERT_EQ(code_of([&](Repositories& r) { result = r.nodes.replace(account, source, target); }),
              expected);
    if (!expected) {
      ASSERT_EQ(result, model.replace(source, target));
    }
  }
  void remove() {
    const NodeId id = pick();
    const auto expected = model.check_remove(id);
    ASSERT_EQ(
        code_of([&](Repositories& r) { ASSERT_EQ(r.nodes.remove(account, id), model.exists(id)); }),
        expected);
    if (!expected) model.nodes.erase(id);
  }
  void publish_inline() {
    const NodeId id = pick();
    if (!model.exists(id) || model.nodes[id].kind != NodeKind::file) return;
    Publication publication;
    publication.node = id;
    publication.size = random() % 10;
    if (publication.size > 0) {
      publication.extents = {{0, publication.size, std::string(publication.size, 'x')}};
    }
    ASSERT_TRUE(publish(publication));
    model.nodes[id].size = publication.size;
  }

  void compare() {
    std::uint64_t used = 0;
    for (const auto& [id, expected] : model.nodes) {
      const auto node = find(id);
      ASSERT_TRUE(node);
      ASSERT_EQ(node->parent, expected.parent);
      ASSERT_EQ(node->name, expected.name);
      ASSERT_EQ(node->kind, expected.kind);
      if (expected.kind == NodeKind::file) {
        ASSERT_EQ(node->size, expected.size);
        used += expected.size;
      }
    }
    ASSERT_EQ(usage().files, model.nodes.size() - 1);
    ASSERT_EQ(usage().used_bytes, used);
    ASSERT_EQ(broken_invariant(), "");
  }

  ModelTree model;
  std::minstd_rand random;
  std::vector<NodeId> known;
};

TEST_P(NodesModel, AgreesWithATreeInMemory) {
  for (int step = 0; step < 400 && !HasFatalFailure(); ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
        insert();
        break;
      case 3:
      case 4:
        rename();
        break;
      case 5:
        replace();
        break;
      case 6:
        remove();
        break;
      default:
        publish_inline();
    }
  }
  compare();
}

INSTANTIATE_TEST_SUITE_P(Seeds, NodesModel, ::testing::Range(1U, 7U));

}  // namespace
}  // namespace metadata
