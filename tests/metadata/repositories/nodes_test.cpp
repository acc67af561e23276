#include "metadata/repositories/nodes.h"

#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

using std::chrono::microseconds;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class NodesRepository : public MetadataTest {};

TEST_F(NodesRepository, AnInsertedEntryIsFoundAsItWasGiven) {
  const NewNode given{.parent = root,
                      .name = "Ünïcode \xF0\x9F\x93\xB7.jpg",
                      .kind = NodeKind::file,
                      .mode = 04640,
                      .uid = 4294967295,
                      .gid = 1001,
                      .link_target = "",
                      .atime = Time{microseconds{1'234'567'890'123'456}},
                      .mtime = Time{microseconds{-86'400'000'001}}};
  const Node made = in([&](Repositories& r) { return r.nodes.insert(account, given); });
  const auto found =
      in([&](Repositories& r) { return r.nodes.find_child(account, root, given.name); });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, made.id);
  EXPECT_EQ(found->parent, root);
  EXPECT_EQ(found->name, given.name);
  EXPECT_EQ(found->kind, NodeKind::file);
  EXPECT_EQ(found->mode, 04640U);
  EXPECT_EQ(found->uid, 4294967295U);
  EXPECT_EQ(found->gid, 1001U);
  EXPECT_EQ(found->size, 0U);
  EXPECT_EQ(found->atime, *given.atime);
  EXPECT_EQ(found->mtime, *given.mtime);
  EXPECT_EQ(found->ctime, made.ctime);
  EXPECT_EQ(found->version, std::nullopt);
  EXPECT_FALSE(found->incomplete);
}

TEST_F(NodesRepository, AWalkUsesTheIndexOfNamesHoweverFewNodesThePlannerExpects) {
  const auto plan_of_walk = [&] {
    return scratch.database().query([&](Transaction& tx) {
      for (const auto& [name, plan] : Nodes::explain_all(tx, account, root)) {
        if (name == "nodes_walk") return plan;
      }
      return std::string();
    });
  };
  const auto wanted = ContainsRegex("Index Cond: \\(\\(account_id = [^)]*\\) AND \\(parent_id = n");
  EXPECT_THAT(plan_of_walk(), wanted) << "before the first ANALYZE";
  execute("ANALYZE nodes");
  EXPECT_THAT(plan_of_walk(), wanted) << "with a single node";
}

TEST_F(NodesRepository, ASymlinkHasItsTargetAndItsLength) {
  const NewNode given{.parent = root,
                      .name = "link",
                      .kind = NodeKind::symlink,
                      .mode = 0777,
                      .uid = 0,
                      .gid = 0,
                      .link_target = "../ä",
                      .atime = {},
                      .mtime = {}};
  const Node made = in([&](Repositories& r) { return r.nodes.insert(account, given); });
  EXPECT_EQ(made.link_target, "../ä");
  EXPECT_EQ(made.size, 5U);
  EXPECT_EQ(usage().used_bytes, 0U) << "a link has no content";
}

TEST_F(NodesRepository, AnInsertTouchesTheParent) {
  const Time before = find(root)->mtime;
  const Node made = make(root, "a");
  EXPECT_GT(find(root)->mtime, before);
  EXPECT_GT(made.mtime, before);
  EXPECT_EQ(usage().files, 1U);
}

TEST_F(NodesRepository, ANameExistsOnceInADirectory) {
  make(root, "a");
  const auto insert_again = [&](Repositories& r) {
    r.nodes.insert(account, {.parent = root,
                             .name = "a",
                             .kind = NodeKind::file,
                             .mode = 0,
                             .uid = 0,
                             .gid = 0,
                             .link_target = "",
                             .atime = {},
                             .mtime = {}});
  };
  EXPECT_EQ(code_of(insert_again), ErrorCode::already_exists);
  EXPECT_EQ(usage().files, 1U);
  make(root, "A");
  make(root, "a\xCC\x88");
  make(root, "\xC3\xA4");
  EXPECT_THAT(names_in(root), ElementsAre("A", "a", "a\xCC\x88", "\xC3\xA4"));
}

TEST_F(NodesRepository, WhatIsNoNameIsInvalid) {
  const auto insert_named = [&](const std::string& name) {
    return code_of([&](Repositories& r) {
      r.nodes.insert(account, {.parent = root,
                               .name = name,
                               .kind = NodeKind::file,
                               .mode = 0,
                               .uid = 0,
                               .gid = 0,
                               .link_target = "",
                               .atime = {},
                               .mtime = {}});
    });
  };
  for (const std::string& name :
       {std::string(""), std::string("."), std::string(".."), std::string("a/b"),
        std::string("a\0b", 3), std::string("\xFF"), std::string("\xC3"), std::string(256, 'a')}) {
    EXPECT_EQ(insert_named(name), ErrorCode::invalid) << name;
  }
  EXPECT_EQ(insert_named(std::string(255, 'a')), std::nullopt);
  EXPECT_EQ(insert_named("..."), std::nullopt);
  EXPECT_EQ(insert_named("{\"a\\',b}"), std::nullopt);
}

TEST_F(NodesRepository, AnInsertNeedsADirectoryAsParent) {
  const Node file = make(root, "file");
  const auto insert_into = [&](NodeId parent) {
    return code_of([&](Repositories& r) {
      r.nodes.insert(account, {.parent = parent,
                               .name = "x",
                               .kind = NodeKind::file,
                               .mode = 0,
                               .uid = 0,
                               .gid = 0,
                               .link_target = "",
                               .atime = {},
                               .mtime = {}});
    });
  };
  EXPECT_EQ(insert_into(file.id), ErrorCode::not_a_directory);
  EXPECT_EQ(insert_into(NodeId{99999}), ErrorCode::not_found);
  EXPECT_EQ(insert_into(NodeId{0}), ErrorCode::not_found);
}

TEST_F(NodesRepository, AWalkReturnsWhatItFound) {
  const Node a = make_directory(root, "a");
  const Node b = make_directory(a.id, "b,\"{}\\");
  const Node c = make(b.id, "c");
  const auto walk = [&](NodeId start, const std::vector<std::string>& names) {
    std::vector<NodeId> ids;
    for (const Node& node :
         in([&](Repositories& r) { return r.nodes.walk(account, start, names); })) {
      ids.push_back(node.id);
    }
    return ids;
  };
  EXPECT_THAT(walk(root, {}), ElementsAre(root));
  EXPECT_THAT(walk(root, {"a", "b,\"{}\\", "c"}), ElementsAre(root, a.id, b.id, c.id));
  EXPECT_THAT(walk(a.id, {"b,\"{}\\", "x", "c"}), ElementsAre(a.id, b.id));
  EXPECT_THAT(walk(root, {"a", "b,\"{}\\", "c", "d"}), ElementsAre(root, a.id, b.id, c.id));
  EXPECT_THAT(walk(root, {"NULL"}), ElementsAre(root));
  EXPECT_THAT(walk(NodeId{99999}, {"a"}), IsEmpty());
  EXPECT_EQ(walk(root, std::vector<std::string>(2048, "a")).size(), 2U);
  EXPECT_THROW(walk(root, std::vector<std::string>(2049, "a")), Error);
}

TEST_F(NodesRepository, AWalkOf2048NamesIsPossible) {
  execute("WITH RECURSIVE chain AS (SELECT 1 AS i, " + std::to_string(root.value) +
          "::bigint AS parent UNION ALL SELECT i + 1, 1000000 + i FROM chain WHERE i < 2048)"
          " INSERT INTO nodes (account_id, id, parent_id, name, kind, mode, uid, gid, atime, mtime,"
          " ctime) SELECT " +
          std::to_string(account.value) +
          ", 1000000 + i, parent, 'd', 'directory', 493, 0, 0, now(), now(), now() FROM chain");
  const auto found = in([&](Repositories& r) {
    return r.nodes.walk(account, root, std::vector<std::string>(2048, "d"));
  });
  ASSERT_EQ(found.size(), 2049U);
  EXPECT_EQ(found.back().id, NodeId{1002048});
  const auto up = in([&](Repositories& r) { return r.nodes.ancestry(account, NodeId{1002048}); });
  ASSERT_EQ(up.size(), 2049U);
  EXPECT_EQ(up.front().id, root);
}

TEST_F(NodesRepository, AncestryRunsFromTheRoot) {
  const Node a = make_directory(root, "a");
  const Node b = make(a.id, "b");
  const auto up = in([&](Repositories& r) { return r.nodes.ancestry(account, b.id); });
  ASSERT_EQ(up.size(), 3U);
  EXPECT_EQ(up[0].id, root);
  EXPECT_EQ(up[1].id, a.id);
  EXPECT_EQ(up[2].id, b.id);
  EXPECT_TRUE(
      in([&](Repositories& r) { return r.nodes.ancestry(account, NodeId{99999}); }).empty());
}

TEST_F(NodesRepository, PagesAreInBytewiseOrder) {
  for (const auto* name : {"b", "B", "a10", "a9", "_", "\xC3\xA9", "~"}) make(root, name);
  EXPECT_THAT(names_in(root), ElementsAre("B", "_", "a10", "a9", "b", "~", "\xC3\xA9"));
  const auto page = [&](const std::string& after, int limit) {
    return in([&](Repositories& r) { return r.nodes.list(account, root, after, limit); });
  };
  EXPECT_EQ(page("", 2).back().name, "_");
  EXPECT_EQ(page("_", 2).front().name, "a10");
  EXPECT_EQ(page("a10x", 1).front().name, "a9") << "the page goes on behind a removed name";
  EXPECT_TRUE(page("\xC3\xA9", 10).empty());
}

TEST_F(NodesRepository, AChangeSetsOnlyWhatIsGiven) {
  const Node before = make(root, "a");
  const auto change = [&](const NodeChanges& changes) {
    return in([&](Repositories& r) { return r.nodes.change(account, before.id, changes); });
  };
  EXPECT_TRUE(change({.mode = 0100600, .uid = {}, .gid = 5, .atime = {}, .mtime = {}}));
  Node after = *find(before.id);
  EXPECT_EQ(after.mode, 0600U) << "permission bits only";
  EXPECT_EQ(after.uid, before.uid);
  EXPECT_EQ(after.gid, 5U);
  EXPECT_EQ(after.mtime, before.mtime);
  EXPECT_GT(after.ctime, before.ctime);
  EXPECT_TRUE(
      change({.mode = {}, .uid = {}, .gid = {}, .atime = Time{}, .mtime = Time{microseconds{7}}}));
  after = *find(before.id);
  EXPECT_EQ(after.atime, Time{});
  EXPECT_EQ(after.mtime, Time{microseconds{7}});
  EXPECT_FALSE(in([&](Repositories& r) { return r.nodes.change(account, NodeId{99999}, {}); }));
}

TEST_F(NodesRepository, RenameMovesATreeAndTouchesBothParents) {
  const Node from = make_directory(root, "from");
  const Node to = make_directory(root, "to");
  const Node directory = make_directory(from.id, "d");
  const Node leaf = make(directory.id, "leaf");
  const Time own_before = find(directory.id)->mtime;
  const Time from_before = find(from.id)->mtime;
  const Time to_before = find(to.id)->mtime;
  in([&](Repositories& r) { r.nodes.rename(account, directory.id, to.id, "moved"); });
  const auto path = in([&](Repositories& r) {
    return r.nodes.walk(account, root, {"to", "moved", "leaf"});
  });
  ASSERT_EQ(path.size(), 4U);
  EXPECT_EQ(path[3].id, leaf.id);
  EXPECT_EQ(path[2].mtime, own_before);
  EXPECT_GT(find(from.id)->mtime, from_before);
  EXPECT_GT(find(to.id)->mtime, to_before);
  EXPECT_TRUE(names_in(from.id).empty());
  EXPECT_EQ(usage().files, 4U);
}

TEST_F(NodesRepository, RenameRefusesWhatCannotBe) {
  const Node a = make_directory(root, "a");
  const Node b = make_directory(a.id, "b");
  const Node file = make(root, "file");
  const auto rename = [&](NodeId id, NodeId parent, const std::string& name) {
    return code_of([&](Repositories& r) { r.nodes.rename(account, id, parent, name); });
  };
  EXPECT_EQ(rename(a.id, root, "file"), ErrorCode::already_exists);
  EXPECT_EQ(rename(NodeId{99999}, root, "x"), ErrorCode::not_found);
  EXPECT_EQ(rename(file.id, NodeId{99999}, "x"), ErrorCode::not_found);
  EXPECT_EQ(rename(a.id, file.id, "x"), ErrorCode::not_a_directory);
  EXPECT_EQ(rename(a.id, a.id, "x"), ErrorCode::would_loop);
  EXPECT_EQ(rename(a.id, b.id, "x"), ErrorCode::would_loop);
  EXPECT_EQ(rename(root, b.id, "x"), ErrorCode::would_loop);
  EXPECT_EQ(rename(file.id, root, ".."), ErrorCode::invalid);
  EXPECT_EQ(rename(a.id, root, "a"), std::nullopt) << "onto itself: nothing to do";
  EXPECT_EQ(rename(a.id, root, "A"), std::nullopt);
}

TEST_F(NodesRepository, RemoveTakesEntriesAndGivesQuotaBack) {
  const Node directory = make_directory(root, "d");
  const Node file = make(directory.id, "f");
  publish_new(file.id, "key", 1000);
  EXPECT_EQ(usage().used_bytes, 1000U);
  const auto remove = [&](NodeId id) {
    return in([&](Repositories& r) { return r.nodes.remove(account, id); });
  };
  EXPECT_EQ(code_of([&](Repositories& r) { r.nodes.remove(account, directory.id); }),
            ErrorCode::not_empty);
  EXPECT_TRUE(remove(file.id));
  EXPECT_FALSE(remove(file.id));
  EXPECT_EQ(usage().used_bytes, 0U);
  EXPECT_TRUE(remove(directory.id));
  EXPECT_EQ(usage().files, 0U);
  EXPECT_EQ(code_of([&](Repositories& r) { r.nodes.remove(account, root); }), ErrorCode::invalid);
  EXPECT_EQ(text("SELECT removed_path FROM versions"), "/d/f");
}

TEST_F(NodesRepository, AFileIsFoundOnTheNodeThatItReplaced) {
  const Node moved = make(root, "moved");
  const Node replaced = make(root, "replaced");
  const NodeId target = replaced.id;
  const auto replace = [&](NodeId source) {
    in([&](Repositories& r) { r.nodes.replace(account, source, target); });
  };
  const auto node_of = [&](const Node& file) {
    return in([&](Repositories& r) { return r.nodes.lock_file(account, file.id, file.file); });
  };
  EXPECT_EQ(node_of(moved)->id, moved.id);
  replace(moved.id);
  EXPECT_EQ(node_of(moved)->id, target);
  EXPECT_EQ(find(target)->file, moved.file);
  EXPECT_FALSE(node_of(replaced)) << "the node is another file's";
  replace(make(root, "other").id);
  EXPECT_FALSE(node_of(moved));
  NodeChanges changes;
  changes.mode = 0600;
  const auto change = [&](const Node& file) {
    return in(
        [&](Repositories& r) { return r.nodes.change_file(account, file.id, file.file, changes); });
  };
  EXPECT_FALSE(change(moved));
  EXPECT_TRUE(change(*find(target)));
  EXPECT_EQ(find(target)->mode, 0600U);
}

TEST_F(NodesRepository, ContentOfAFileIsNotPublishedToWhatReplacedIt) {
  const Node replaced = make(root, "replaced");
  const Node other = make(root, "other");
  in([&](Repositories& r) { r.nodes.replace(account, other.id, replaced.id); });
  Publication publication = whole(replaced.id, reserve("first"), 10);
  publication.file = replaced.file;
  EXPECT_FALSE(publish(publication));
  publication.node = other.id;
  publication.file = other.file;
  EXPECT_EQ(publish(publication)->node, replaced.id);
}

TEST_F(NodesRepository, AnotherAccountsNodesAreNotThere) {
  const Node mine = make(root, "a");
  const AccountId other = in([](Repositories& r) { return r.accounts.create(std::nullopt); });
  const NodeId other_root = in([&](Repositories& r) { return r.accounts.root(other); });
  EXPECT_FALSE(in([&](Repositories& r) { return r.nodes.find(other, mine.id); }));
  EXPECT_FALSE(in([&](Repositories& r) { return r.nodes.remove(other, mine.id); }));
  EXPECT_FALSE(in([&](Repositories& r) { return r.nodes.change(other, mine.id, {}); }));
  EXPECT_EQ(code_of([&](Repositories& r) { r.nodes.rename(other, mine.id, other_root, "a"); }),
            ErrorCode::not_found);
  EXPECT_EQ(code_of([&](Repositories& r) { r.nodes.rename(account, mine.id, other_root, "a"); }),
            ErrorCode::not_found);
}

}  // namespace
}  // namespace metadata
