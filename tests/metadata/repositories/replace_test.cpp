// Nodes::replace: an entry moved onto an existing one.
#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

using std::chrono::microseconds;

class Replace : public MetadataTest {
 protected:
  NodeId replace(NodeId source, NodeId target) {
    return in([&](Repositories& r) { return r.nodes.replace(account, source, target); });
  }
  std::optional<ErrorCode> replace_code(NodeId source, NodeId target) {
    return code_of([&](Repositories& r) { r.nodes.replace(account, source, target); });
  }
};

TEST_F(Replace, AFileKeepsTheTargetsIdentityAndTakesTheSourcesContent) {
  const Node target = make(root, "photo");
  const Node source = make(root, ".photo.tmp");
  const VersionId old_version = publish_new(target.id, "old", 100);
  const VersionId new_version = publish_new(source.id, "new", 30);
  in([&](Repositories& r) {
    r.nodes.change(account, source.id,
                   {.mode = 0600,
                    .uid = 9,
                    .gid = 9,
                    .atime = Time{microseconds{1}},
                    .mtime = Time{microseconds{2}}});
  });
  EXPECT_EQ(replace(source.id, target.id), target.id);
  const Node now = *find(target.id);
  EXPECT_EQ(now.name, "photo");
  EXPECT_EQ(now.version, new_version);
  EXPECT_EQ(now.size, 30U);
  EXPECT_EQ(now.mode, 0600U);
  EXPECT_EQ(now.uid, target.uid);
  EXPECT_EQ(now.atime, Time{microseconds{1}});
  EXPECT_EQ(now.mtime, Time{microseconds{2}});
  EXPECT_FALSE(find(source.id));
  EXPECT_EQ(usage().files, 1U);
  EXPECT_EQ(usage().used_bytes, 30U);
  const auto version_of = [&](VersionId id, const std::string& column) {
    return text("SELECT " + column + " FROM versions WHERE id = " + std::to_string(id.value));
  };
  EXPECT_EQ(version_of(old_version, "replaced_at IS NOT NULL AND removed_path IS NULL"), "t");
  EXPECT_EQ(version_of(new_version, "replaced_at IS NULL"), "t");
  EXPECT_EQ(version_of(new_version, "node_id"), std::to_string(target.id.value));
}

TEST_F(Replace, ACommitUnderWayForTheSourceReachesTheTarget) {
  const Node a = make(root, "a");
  const Node b = make(root, "b");
  const Node c = make(root, "c");
  replace(a.id, b.id);
  replace(b.id, c.id);
  const auto result = publish(whole(a.id, reserve("key"), 5));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->node, c.id);
  EXPECT_EQ(find(c.id)->version, result->version);
  in([&](Repositories& r) { return r.nodes.remove(account, c.id); });
  EXPECT_FALSE(publish(whole(a.id, reserve("key2"), 5)));
}

TEST_F(Replace, AnEmptySourceEmptiesTheTarget) {
  const Node target = make(root, "target");
  publish_new(target.id, "old", 100);
  replace(make(root, "empty").id, target.id);
  EXPECT_EQ(find(target.id)->version, std::nullopt);
  EXPECT_EQ(usage().used_bytes, 0U);
}

TEST_F(Replace, ASymlinkTakesThePlaceOfAFile) {
  const Node directory = make_directory(root, "d");
  const Node target = make(directory.id, "name");
  publish_new(target.id, "old", 100);
  const Node link = make(root, "link", NodeKind::symlink);
  EXPECT_EQ(replace(link.id, target.id), link.id);
  EXPECT_FALSE(find(target.id));
  EXPECT_EQ(find(link.id)->name, "name");
  EXPECT_EQ(find(link.id)->parent, directory.id);
  EXPECT_EQ(usage().used_bytes, 0U);
  EXPECT_EQ(usage().files, 2U);
  EXPECT_EQ(text("SELECT removed_path FROM versions"), "/d/name");
}

TEST_F(Replace, AFileTakesThePlaceOfASymlink) {
  const Node link = make(root, "link", NodeKind::symlink);
  const Node file = make(root, "file");
  publish_new(file.id, "key", 100);
  EXPECT_EQ(replace(file.id, link.id), file.id);
  EXPECT_EQ(find(file.id)->name, "link");
  EXPECT_EQ(usage().used_bytes, 100U);
  EXPECT_EQ(usage().files, 1U);
}

TEST_F(Replace, ADirectoryTakesThePlaceOfAnEmptyOne) {
  const Node target = make_directory(root, "target");
  const Node source = make_directory(root, "source");
  const Node leaf = make(source.id, "leaf");
  EXPECT_EQ(replace(source.id, target.id), source.id);
  EXPECT_EQ(find(source.id)->name, "target");
  EXPECT_EQ(find(leaf.id)->parent, source.id);
  EXPECT_FALSE(find(target.id));
}

TEST_F(Replace, RefusesWhatCannotBe) {
  const Node a = make_directory(root, "a");
  const Node b = make_directory(a.id, "b");
  const Node full = make_directory(root, "full");
  make(full.id, "x");
  const Node file = make(root, "file");
  const Node link = make(root, "link", NodeKind::symlink);
  EXPECT_EQ(replace_code(b.id, full.id), ErrorCode::not_empty);
  EXPECT_EQ(replace_code(b.id, a.id), ErrorCode::not_empty);
  EXPECT_EQ(replace_code(a.id, b.id), ErrorCode::would_loop);
  EXPECT_EQ(replace_code(root, b.id), ErrorCode::would_loop);
  EXPECT_EQ(replace_code(b.id, root), ErrorCode::not_empty);
  EXPECT_EQ(replace_code(file.id, b.id), ErrorCode::not_a_directory);
  EXPECT_EQ(replace_code(b.id, file.id), ErrorCode::not_a_directory);
  EXPECT_EQ(replace_code(link.id, b.id), ErrorCode::not_a_directory);
  EXPECT_EQ(replace_code(NodeId{99999}, file.id), ErrorCode::not_found);
  EXPECT_EQ(replace_code(file.id, NodeId{99999}), ErrorCode::not_found);
  EXPECT_EQ(replace(file.id, file.id), file.id);
}

}  // namespace
}  // namespace metadata
