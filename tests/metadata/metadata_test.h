#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "metadata/repositories/accounts.h"
#include "metadata/repositories/flattening.h"
#include "metadata/repositories/nodes.h"
#include "metadata/repositories/objects.h"
#include "metadata/repositories/uploads.h"
#include "metadata/repositories/users.h"
#include "metadata/repositories/versions.h"
#include "tests/support/metadata/scratch_database.h"

namespace metadata {

/// All repositories on one transaction.
struct Repositories {
  explicit Repositories(Transaction& of)
      : transaction(of),
        accounts(of),
        users(of),
        nodes(of),
        versions(of),
        flattening(of),
        objects(of),
        uploads(of) {}
  Transaction& transaction;
  Accounts accounts;
  Users users;
  Nodes nodes;
  Versions versions;
  Flattening flattening;
  Objects objects;
  Uploads uploads;
};

inline Sha256 hash_of(int seed) {
  Sha256 sha256{};
  sha256.fill(static_cast<std::byte>(seed));
  return sha256;
}

/// A fresh database with one account.
class MetadataTest : public ::testing::Test {
 protected:
  /// Runs `work(Repositories&)` in a transaction of its own.
  template <class Work>
  auto in(Work work) {
    return scratch.database().transact([&](Transaction& tx) {
      Repositories repositories(tx);
      return work(repositories);
    });
  }

  MetadataTest() {
    account = in([](Repositories& r) { return r.accounts.create(std::nullopt); });
    root = in([&](Repositories& r) { return r.accounts.root(account); });
  }

  /// The code of the Error that `work` throws; nothing if it throws none.
  template <class Work>
  std::optional<ErrorCode> code_of(Work work) {
    try {
      in([&](Repositories& r) { work(r); });
    } catch (const Error& error) {
      return error.code();
    }
    return std::nullopt;
  }

  Node make(NodeId parent, const std::string& name, NodeKind kind = NodeKind::file) {
    NewNode node;
    node.parent = parent;
    node.name = name;
    node.kind = kind;
    if (kind == NodeKind::symlink) node.link_target = "target";
    if (kind == NodeKind::directory) node.mode = 0755;
    return in([&](Repositories& r) { return r.nodes.insert(account, node); });
  }
  Node make_directory(NodeId parent, const std::string& name) {
    return make(parent, name, NodeKind::directory);
  }

  std::optional<Node> find(NodeId id) {
    return in([&](Repositories& r) { return r.nodes.find(account, id); });
  }
  std::vector<std::string> names_in(NodeId parent) {
    std::vector<std::string> names;
    for (const Node& node :
         in([&](Repositories& r) { return r.nodes.list(account, parent, "", 100000); })) {
      names.push_back(node.name);
    }
    return names;
  }
  Usage usage() {
    return in([&](Repositories& r) { return r.accounts.usage(account); });
  }

  ObjectId reserve(const std::string& key, std::chrono::seconds lease = std::chrono::minutes{5}) {
    return in([&](Repositories& r) { return r.objects.reserve(account, {key}, lease); })[0];
  }

  /// A publication of one whole, newly stored object.
  Publication whole(NodeId node, ObjectId object, std::uint64_t size) {
    Publication publication;
    publication.node = node;
    publication.size = size;
    publication.user = UserId{1};
    publication.extents = {{0, size, ObjectSlice{object, "", 0, 0}}};
    publication.finished = {{object, size, std::nullopt, "etag", "text/plain"}};
    return publication;
  }
  std::optional<PublishResult> publish(const Publication& publication) {
    return in([&](Repositories& r) { return r.versions.publish(account, publication); });
  }
  /// New content from a new object of that key.
  VersionId publish_new(NodeId node, const std::string& key, std::uint64_t size) {
    return publish(whole(node, reserve(key), size))->version;
  }

  std::string state_of(ObjectId object) {
    return text("SELECT state FROM objects WHERE id = " + std::to_string(object.value));
  }
  /// The first field of what `sql` returns; empty if it returns nothing.
  std::string text(const std::string& sql) { return scratch.execute(sql); }
  void execute(const std::string& sql) { scratch.execute(sql); }

  /// What must hold after any mix of operations; empty if it does, else what does not.
  std::string broken_invariant() {
    return text(R"(
      WITH RECURSIVE below AS (
        SELECT account_id, id FROM nodes WHERE parent_id IS NULL
        UNION ALL
        SELECT n.account_id, n.id FROM below b
        JOIN nodes n ON n.account_id = b.account_id AND n.parent_id = b.id)
      SELECT concat_ws(', ',
        CASE WHEN (SELECT count(*) FROM below) <> (SELECT count(*) FROM nodes)
          THEN 'a node hangs outside of the tree' END,
        CASE WHEN EXISTS (SELECT FROM account_totals t WHERE t.used_bytes <> (
            SELECT coalesce(sum(size), 0) FROM nodes n
            WHERE n.account_id = t.account_id AND kind = 'file'))
          THEN 'used_bytes is wrong' END,
        CASE WHEN EXISTS (SELECT FROM account_totals t WHERE t.files <> (
            SELECT count(*) FROM nodes n
            WHERE n.account_id = t.account_id AND parent_id IS NOT NULL))
          THEN 'files is wrong' END,
        CASE WHEN EXISTS (SELECT FROM extents e JOIN objects o
            ON o.account_id = e.account_id AND o.id = e.object_id WHERE o.state <> 'live')
          THEN 'an extent names an object that is not live' END,
        CASE WHEN EXISTS (SELECT FROM objects o WHERE o.state = 'live' AND NOT EXISTS (
            SELECT FROM extents e WHERE e.account_id = o.account_id AND e.object_id = o.id))
          THEN 'a live object has no extent' END,
        CASE WHEN EXISTS (SELECT FROM nodes n WHERE n.version_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM versions v WHERE v.account_id = n.account_id AND v.id = n.version_id
            AND v.node_id = n.id AND v.size = n.size AND v.replaced_at IS NULL))
          THEN 'a node has a wrong version' END,
        CASE WHEN EXISTS (SELECT FROM versions v WHERE v.replaced_at IS NULL AND NOT EXISTS (
            SELECT FROM nodes n WHERE n.account_id = v.account_id AND n.version_id = v.id))
          THEN 'a current version has no node' END))");
  }

  tests::ScratchDatabase scratch;
  AccountId account;
  NodeId root;
};

}  // namespace metadata
