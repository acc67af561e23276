// What is remembered is always what the database has.

#include "metadata/names/cached_nodes.h"

#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <random>
#include <thread>

#include "metadata/names/node_cache.h"
#include "metadata/transaction_pqxx.h"
#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

using Names = std::vector<std::string>;

bool same(const Node& a, const Node& b) {
  return a.id == b.id && a.parent == b.parent && a.name == b.name && a.kind == b.kind &&
         a.mode == b.mode && a.size == b.size && a.mtime == b.mtime && a.ctime == b.ctime &&
         a.version == b.version && a.link_target == b.link_target && a.incomplete == b.incomplete;
}

class CachedNodesTest : public MetadataTest {
 protected:
  CachedNodesTest() { cache.trust_until(NodeCache::Clock::time_point::max()); }
  ~CachedNodesTest() override {
    cache.distrust();
    for (const auto backend : cache.doubts()) cache.settle(backend);
  }

  std::vector<Node> cached(const Names& names) {
    return CachedNodes(scratch.database()).walk(account, root, names);
  }
  std::vector<Node> stored(const Names& names) {
    return in([&](Repositories& r) { return r.nodes.walk(account, root, names); });
  }
  bool known(const Names& names) { return cache.walk(account, root, names).has_value(); }

  NodeCache& cache = scratch.database().node_cache();
};

TEST_F(CachedNodesTest, TheSecondWalkAsksNobody) {
  const Node folder = make_directory(root, "folder");
  make(folder.id, "file");
  EXPECT_EQ(cached({"folder", "file"}).size(), 3U);
  EXPECT_TRUE(known({"folder", "file"}));
  EXPECT_EQ(cached({"folder", "missing"}).size(), 2U);
  EXPECT_TRUE(known({"folder", "missing"}));
}

TEST_F(CachedNodesTest, ListingsAndNamesInOrderAreReadAhead) {
  const Node folder = make_directory(root, "folder");
  for (char c = 'a'; c <= 'z'; ++c) make(folder.id, std::string(1, c));
  cached({"folder", "a"});
  cached({"folder", "b"});
  EXPECT_FALSE(known({"folder", "x"}));
  cached({"folder", "c"});
  EXPECT_TRUE(known({"folder", "x"}));
  cache.distrust();
  cache.trust_until(NodeCache::Clock::time_point::max());
  cached({"folder"});
  CachedNodes(scratch.database()).list(account, folder.id, "k", 3);
  EXPECT_FALSE(known({"folder", "k"}));
  EXPECT_TRUE(known({"folder", "l"}));
}

TEST_F(CachedNodesTest, ATransactionThatFailsIsForgottenToo) {
  const Node file = make(root, "file");
  cached({"file"});
  EXPECT_EQ(code_of([&](Repositories& r) {
              r.nodes.change(account, file.id,
                             {.mode = 0600, .uid = {}, .gid = {}, .atime = {}, .mtime = {}});
              throw Error(ErrorCode::in_doubt, "who knows");
            }),
            ErrorCode::in_doubt);
  EXPECT_FALSE(known({"file"}));
  EXPECT_EQ(cached({"file"}).back().mode, 0644U);
}

TEST_F(CachedNodesTest, WhatIsCommittedAfterItsConnectionBrokeIsSeen) {
  const Node file = make(root, "file");
  cached({"file"});
  Session blocker(scratch.url());
  Transaction::Inner(blocker).script("BEGIN; SELECT FROM nodes FOR UPDATE");
  int socket = -1;
  std::jthread breaker([&] {
    while (text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()") == "0") {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ::shutdown(socket, SHUT_RDWR);
  });
  std::optional<ErrorCode> code;
  try {
    scratch.database().execute([&](Transaction& tx) {
      socket = tx.inner().session.connection().sock();
      return Nodes(tx).change(account, file.id,
                              {.mode = 0600, .uid = {}, .gid = {}, .atime = {}, .mtime = {}});
    });
  } catch (const Error& error) {
    code = error.code();
  }
  ASSERT_EQ(code, ErrorCode::in_doubt);
  EXPECT_EQ(cached({"file"}).back().mode, 0644U) << "not yet";
  Transaction::Inner(blocker).script("ROLLBACK");
  while (stored({"file"}).back().mode != 0600U) std::this_thread::yield();
  EXPECT_EQ(cached({"file"}).back().mode, 0600U);
}

TEST_F(CachedNodesTest, TheDirectoryThatAnEntryLeavesIsForgottenWhoeverHasMovedItMeanwhile) {
  const Node from = make_directory(root, "from");
  const Node to = make_directory(root, "to");
  const Node last = make_directory(root, "last");
  const Node target = make(last.id, "target");
  const std::vector<std::function<void(Nodes&, NodeId)>> changes = {
      [&](Nodes& nodes, NodeId file) { nodes.remove(account, file); },
      [&](Nodes& nodes, NodeId file) { nodes.rename(account, file, last.id, "renamed"); },
      [&](Nodes& nodes, NodeId file) { nodes.replace(account, file, target.id); }};
  for (const auto& change : changes) {
    const Node file = make(from.id, "file");
    cached({"to"});
    std::jthread changing;
    // Not through the repositories of this process, which would forget the directory already then.
    Session mover(scratch.url());
    {
      Transaction::Inner inner(mover);
      Transaction transaction(inner);
      inner.script("BEGIN");
      Nodes(transaction).rename(account, file.id, to.id, "file");
      changing = std::jthread([&] { in([&](Repositories& r) { change(r.nodes, file.id); }); });
      while (text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                  " AND datname = current_database()") == "0") {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      inner.script("COMMIT");
    }
    changing.join();
    EXPECT_TRUE(same(cached({"to"}).back(), stored({"to"}).back()));
  }
}

/// Any change of the tree, and every path looked up before and after it.
class Tree {
 public:
  Tree(std::uint64_t seed, AccountId account) : random_(seed), account_(account) {}

  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  std::string some_name() { return std::string(1, static_cast<char>('a' + below(4))); }
  Names some_path() {
    Names names(1 + below(3));
    for (auto& name : names) name = some_name();
    return names;
  }

  /// One change, which may be refused.
  void change(Repositories& r, const std::vector<Node>& from, const std::vector<Node>& to,
              const std::string& name) {
    const Node& node = from.back();
    switch (below(6)) {
      case 0:
        r.nodes.insert(account_, new_node(node.id, name, NodeKind::directory));
        break;
      case 1:
        r.nodes.insert_later(account_, new_node(node.id, name, NodeKind::file));
        break;
      case 2:
        r.nodes.change(account_, node.id,
                       {.mode = static_cast<std::uint32_t>(below(01000)),
                        .uid = {},
                        .gid = {},
                        .atime = {},
                        .mtime = {}});
        break;
      case 3:
        r.nodes.rename(account_, node.id, to.back().id, name);
        break;
      case 4:
        r.nodes.replace(account_, node.id, to.back().id);
        break;
      default:
        if (below(3) == 0) r.nodes.remove(account_, node.id);
        publish(r, node);
    }
  }

 private:
  static NewNode new_node(NodeId parent, const std::string& name, NodeKind kind) {
    NewNode made;
    made.parent = parent;
    made.name = name;
    made.kind = kind;
    return made;
  }
  void publish(Repositories& r, const Node& node) {
    const std::string bytes(below(20), 'x');
    Publication publication;
    publication.node = node.id;
    publication.user = UserId{1};
    publication.size = bytes.size();
    publication.incomplete = below(2) == 0;
    if (!bytes.empty()) publication.extents = {{0, bytes.size(), bytes}};
    r.versions.publish(account_, publication);
  }

  std::mt19937_64 random_;
  const AccountId account_;
};

TEST_F(CachedNodesTest, IsNeverOtherThanTheDatabaseWhateverChanges) {
  Tree tree(20'261'121, account);
  int remembered = 0;
  for (int i = 0; i < 1500; ++i) {
    const auto from = stored(tree.some_path());
    const auto to = stored(tree.some_path());
    const auto name = tree.some_name();
    (void)code_of([&](Repositories& r) { tree.change(r, from, to, name); });
    for (int look = 0; look < 4; ++look) {
      const Names path = tree.some_path();
      if (known(path)) ++remembered;
      const auto expected = stored(path);
      const auto found = cached(path);
      ASSERT_TRUE(std::equal(found.begin(), found.end(), expected.begin(), expected.end(), same))
          << "after " << i << " changes";
    }
  }
  EXPECT_GT(remembered, 1000);
}

TEST_F(CachedNodesTest, WhoHasChangedSomethingSeesItAtOnceWhoeverReadsMeanwhile) {
  const Node file = make(root, "file");
  std::atomic<bool> over = false;
  std::vector<std::jthread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!over) cached({"file"});
    });
  }
  for (std::uint32_t mode = 0; mode < 0400; ++mode) {
    in([&](Repositories& r) {
      r.nodes.change(account, file.id,
                     {.mode = mode, .uid = {}, .gid = {}, .atime = {}, .mtime = {}});
    });
    ASSERT_EQ(cached({"file"}).back().mode, mode);
  }
  over = true;
}

}  // namespace
}  // namespace metadata
