// Names: paths, links, permissions, directories, renames.

#include <gmock/gmock.h>

#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

using ::testing::ElementsAre;

class TreeTest : public VfsTest {
 protected:
  TreeTest() {
    vfs->make_directory("a", {});
    vfs->make_directory("a/b", {});
    put("a/b/file", "content");
  }

  std::optional<ErrorCode> stat_code(const std::string& path) {
    return code_of([&] { stat(path); });
  }
  void set_mode(const std::string& path, std::uint32_t mode) {
    vfs->set_attributes(path, {.permissions = mode}, Vfs::Links::follow).get();
  }
  std::vector<std::string> names(const std::string& path, int page = 100) {
    std::vector<std::string> all;
    const auto directory = vfs->open_directory(path);
    for (;;) {
      const auto entries = directory->next(page);
      if (entries.empty()) return all;
      for (const auto& entry : entries) all.push_back(entry.name);
    }
  }
};

// --- Paths
// -----------------------------------------------------------------------------------------

TEST_F(TreeTest, PathsAreRelativeToTheRoot) {
  for (const char* path : {"a/b/file", "/a/b/file", "//a//b///file", "./a/./b/file",
                           "a/b/../b/file", "../../a/b/file", "/a/../../a/b/file"}) {
    EXPECT_EQ(stat(path).size, 7U) << path;
    EXPECT_EQ(vfs->real_path(path), "/a/b/file") << path;
  }
  for (const char* path : {"", "/", ".", "..", "a/..", "a/b/../.."}) {
    EXPECT_EQ(vfs->real_path(path), "/") << path;
    EXPECT_EQ(stat(path).kind, NodeKind::directory) << path;
  }
}

TEST_F(TreeTest, WhatIsMissingIsNotFound) {
  EXPECT_EQ(stat_code("missing"), ErrorCode::not_found);
  EXPECT_EQ(stat_code("missing/below"), ErrorCode::not_found);
  EXPECT_EQ(stat_code("missing/.."), ErrorCode::not_found);
  EXPECT_EQ(stat_code("a/missing/../b"), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { open_reading("missing"); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { vfs->make_directory("missing/below", {}); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { vfs->open_directory("missing"); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { create("missing/file"); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { vfs->remove_file("missing"); }), ErrorCode::not_found);
  EXPECT_EQ(vfs->real_path("a/missing"), "/a/missing");
  EXPECT_EQ(code_of([&] { vfs->real_path("missing/below"); }), ErrorCode::not_found);
}

TEST_F(TreeTest, AFileIsNoDirectory) {
  EXPECT_EQ(stat_code("a/b/file/below"), ErrorCode::not_a_directory);
  EXPECT_EQ(stat_code("a/b/file/"), ErrorCode::not_a_directory);
  EXPECT_EQ(stat_code("a/b/file/."), ErrorCode::not_a_directory);
  EXPECT_EQ(stat_code("a/b/file/.."), ErrorCode::not_a_directory);
  EXPECT_EQ(code_of([&] { vfs->open_directory("a/b/file"); }), ErrorCode::not_a_directory);
  EXPECT_EQ(code_of([&] { vfs->remove_directory("a/b/file"); }), ErrorCode::not_a_directory);
  EXPECT_EQ(code_of([&] { create("new/"); }), ErrorCode::is_a_directory);
  EXPECT_FALSE(exists("new"));
}

TEST_F(TreeTest, ADirectoryIsNoFile) {
  EXPECT_EQ(code_of([&] { open_reading("a"); }), ErrorCode::is_a_directory);
  EXPECT_EQ(code_of([&] { create("a"); }), ErrorCode::is_a_directory);
  EXPECT_EQ(code_of([&] { vfs->remove_file("a"); }), ErrorCode::is_a_directory);
  EXPECT_EQ(code_of([&] { vfs->set_attributes("a", {.size = 0}, Vfs::Links::follow).get(); }),
            ErrorCode::is_a_directory);
  EXPECT_EQ(code_of([&] { vfs->read_link("a"); }), ErrorCode::not_a_link);
}

TEST_F(TreeTest, NamesAreUtf8AsTheyCame) {
  put("caf\xC3\xA9", "composed");
  put("cafe\xCC\x81", "decomposed");
  EXPECT_EQ(read("caf\xC3\xA9"), "composed");
  EXPECT_EQ(read("cafe\xCC\x81"), "decomposed");
  EXPECT_EQ(stat_code("caf\xE9"), ErrorCode::bad_name);
  EXPECT_EQ(stat_code(std::string("a\0b", 3)), ErrorCode::bad_name);
  put(std::string(255, 'n'), "long");
  EXPECT_EQ(stat_code(std::string(256, 'n')), ErrorCode::bad_name);
}

TEST_F(TreeTest, DeepPathsWork) {
  std::string path;
  for (int i = 0; i < 300; ++i) {
    path += "/d";
    vfs->make_directory(path, {});
  }
  put(path + "/file", "deep");
  EXPECT_EQ(read(path + "/file"), "deep");
  std::string up = path;
  for (int i = 0; i < 300; ++i) up += "/..";
  EXPECT_EQ(vfs->real_path(up), "/");
}

// --- Links
// -----------------------------------------------------------------------------------------

TEST_F(TreeTest, LinksLeadOn) {
  vfs->make_link("a/b", "relative");
  vfs->make_link("/a/b", "absolute");
  vfs->make_link("../a/b/file", "a/up");
  vfs->make_link("relative/file", "twice");
  for (const char* path : {"relative/file", "absolute/file", "a/up", "twice", "relative/../b/file",
                           "relative/./file"}) {
    EXPECT_EQ(stat(path).size, 7U) << path;
    EXPECT_EQ(vfs->real_path(path), "/a/b/file") << path;
  }
  EXPECT_EQ(vfs->stat("twice", Vfs::Links::keep).kind, NodeKind::symlink);
  EXPECT_EQ(vfs->stat("relative", Vfs::Links::keep).kind, NodeKind::symlink);
  EXPECT_EQ(vfs->stat("relative/", Vfs::Links::keep).kind, NodeKind::directory)
      << "a slash means what it points to";
  EXPECT_EQ(vfs->read_link("twice"), "relative/file");
}

TEST_F(TreeTest, LinksInCirclesEnd) {
  vfs->make_link("two", "one");
  vfs->make_link("one", "two");
  vfs->make_link("self/x", "self");
  EXPECT_EQ(stat_code("one"), ErrorCode::too_many_links);
  EXPECT_EQ(stat_code("one/x"), ErrorCode::too_many_links);
  EXPECT_TRUE(stat_code("self"));
  EXPECT_EQ(vfs->stat("one", Vfs::Links::keep).kind, NodeKind::symlink);
  vfs->remove_file("one");
  EXPECT_EQ(stat_code("two"), ErrorCode::not_found);
}

TEST_F(TreeTest, FortyLinksAreFollowed) {
  vfs->make_link("a", "link-1");
  for (int i = 2; i <= 41; ++i) {
    vfs->make_link("link-" + std::to_string(i - 1), "link-" + std::to_string(i));
  }
  EXPECT_EQ(stat("link-40").kind, NodeKind::directory);
  EXPECT_EQ(stat_code("link-41"), ErrorCode::too_many_links);
}

TEST_F(TreeTest, ADanglingLinkIsMadeAFileByOpening) {
  vfs->make_link("a/target", "link");
  EXPECT_EQ(stat_code("link"), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { open("link", {.write = true, .create = true, .exclusive = true}); }),
            ErrorCode::already_exists);
  put("link", "through the link");
  EXPECT_EQ(read("a/target"), "through the link");
  EXPECT_EQ(vfs->stat("link", Vfs::Links::keep).kind, NodeKind::symlink);
}

TEST_F(TreeTest, LinksAreRemovedAndRenamedThemselves) {
  vfs->make_link("a/b/file", "link");
  vfs->rename("link", "renamed");
  EXPECT_EQ(read("renamed"), "content");
  vfs->remove_file("renamed");
  EXPECT_EQ(read("a/b/file"), "content");
}

TEST_F(TreeTest, LinkTargetsAreBounded) {
  EXPECT_EQ(code_of([&] { vfs->make_link("", "link"); }), ErrorCode::bad_name);
  EXPECT_EQ(code_of([&] { vfs->make_link(std::string(5000, 'x'), "link"); }), ErrorCode::bad_name);
  EXPECT_EQ(code_of([&] { vfs->make_link("caf\xE9", "link"); }), ErrorCode::bad_name);
  EXPECT_EQ(code_of([&] { vfs->make_link("x", "a"); }), ErrorCode::already_exists);
}

// --- Permissions
// -----------------------------------------------------------------------------------

TEST_F(TreeTest, ADirectoryWithoutXIsNotSearched) {
  set_mode("a", 0600);
  EXPECT_EQ(stat_code("a/b"), ErrorCode::permission_denied);
  EXPECT_EQ(stat_code("a/missing"), ErrorCode::permission_denied);
  EXPECT_EQ(stat("a").permissions, 0600U);
  EXPECT_EQ(names("a").size(), 3U);
}

TEST_F(TreeTest, ADirectoryWithoutWKeepsItsNames) {
  set_mode("a/b", 0500);
  EXPECT_EQ(code_of([&] { create("a/b/new"); }), ErrorCode::permission_denied);
  EXPECT_EQ(code_of([&] { vfs->make_directory("a/b/new", {}); }), ErrorCode::permission_denied);
  EXPECT_EQ(code_of([&] { vfs->make_link("x", "a/b/new"); }), ErrorCode::permission_denied);
  EXPECT_EQ(code_of([&] { vfs->remove_file("a/b/file"); }), ErrorCode::permission_denied);
  EXPECT_EQ(code_of([&] { vfs->rename("a/b/file", "x"); }), ErrorCode::permission_denied);
  EXPECT_EQ(code_of([&] { vfs->rename_over("a/b/file", "x").get(); }),
            ErrorCode::permission_denied);
  put("a/b/file", "its content may change");
}

TEST_F(TreeTest, ADirectoryWithoutRIsNotListed) {
  set_mode("a", 0300);
  EXPECT_EQ(code_of([&] { vfs->open_directory("a"); }), ErrorCode::permission_denied);
  EXPECT_EQ(stat("a/b").kind, NodeKind::directory);
}

TEST_F(TreeTest, AFilesModeBinds) {
  set_mode("a/b/file", 0200);
  EXPECT_EQ(code_of([&] { open_reading("a/b/file"); }), ErrorCode::permission_denied);
  set_mode("a/b/file", 0400);
  EXPECT_EQ(code_of([&] { open_writing("a/b/file"); }), ErrorCode::permission_denied);
  EXPECT_EQ(
      code_of([&] { vfs->set_attributes("a/b/file", {.size = 1}, Vfs::Links::follow).get(); }),
      ErrorCode::permission_denied);
  const auto handle = open("new", {.write = true, .create = true}, {.permissions = 0100400});
  write(*handle, 0, "whoever makes it may write it");
  handle->close().get();
  EXPECT_EQ(stat("new").permissions, 0400U);
}

TEST_F(TreeTest, HandlesDoWhatTheyWereOpenedFor) {
  const auto reader = open_reading("a/b/file");
  EXPECT_EQ(code_of([&] { write(*reader, 0, "x"); }), ErrorCode::bad_handle);
  EXPECT_EQ(code_of([&] { reader->set_attributes({.size = 1}).get(); }), ErrorCode::bad_handle);
  const auto writer = open_writing("a/b/file");
  EXPECT_EQ(code_of([&] { writer->read(0, 1).get(); }), ErrorCode::bad_handle);
}

// --- Directories
// -----------------------------------------------------------------------------------

TEST_F(TreeTest, ListsInPages) {
  for (int i = 10; i < 60; ++i) vfs->make_directory("a/d" + std::to_string(i), {});
  const auto all = names("a", 7);
  EXPECT_EQ(all.size(), 53U);
  EXPECT_EQ(all[0], ".");
  EXPECT_EQ(all[1], "..");
  EXPECT_EQ(all[2], "b");
  EXPECT_TRUE(std::is_sorted(all.begin() + 2, all.end()));
}

TEST_F(TreeTest, MakesAndRemovesDirectories) {
  vfs->make_directory("new/", {.permissions = 040700});
  EXPECT_EQ(stat("new").permissions, 0700U);
  EXPECT_EQ(code_of([&] { vfs->make_directory("new", {}); }), ErrorCode::already_exists);
  EXPECT_EQ(code_of([&] { vfs->make_directory("/", {}); }), ErrorCode::already_exists);
  EXPECT_EQ(code_of([&] { vfs->remove_directory("a"); }), ErrorCode::not_empty);
  EXPECT_TRUE(code_of([&] { vfs->remove_directory("/"); }));
  vfs->remove_directory("new");
  EXPECT_FALSE(exists("new"));
}

TEST_F(TreeTest, AnEmptyDirectoryListsItselfAndItsParent) {
  vfs->make_directory("empty", {});
  EXPECT_THAT(names("empty"), ElementsAre(".", ".."));
}

// --- Opening and renaming
// --------------------------------------------------------------------------

TEST_F(TreeTest, OpenFlagsMeanWhatTheySay) {
  EXPECT_EQ(code_of([&] { open("a/b/file", {.write = true, .create = true, .exclusive = true}); }),
            ErrorCode::already_exists);
  EXPECT_EQ(read("a/b/file"), "content");
  open("a/b/file", {.write = true, .create = true}, {.permissions = 0600})->close().get();
  EXPECT_EQ(stat("a/b/file").permissions, 0644U) << "attributes count for new files only";
  EXPECT_EQ(read("a/b/file"), "content");
  open("a/b/file", {.write = true, .truncate = true})->close().get();
  EXPECT_EQ(read("a/b/file"), "");
}

TEST_F(TreeTest, RenameDoesNotReplace) {
  put("other", "other");
  EXPECT_EQ(code_of([&] { vfs->rename("a/b/file", "other"); }), ErrorCode::already_exists);
  EXPECT_EQ(read("a/b/file"), "content");
  EXPECT_EQ(read("other"), "other");
  vfs->rename("a/b/file", "a/moved");
  EXPECT_EQ(read("a/moved"), "content");
  EXPECT_FALSE(exists("a/b/file"));
}

TEST_F(TreeTest, ADirectoryMovesWithAllBelow) {
  vfs->rename("a", "moved");
  EXPECT_EQ(read("moved/b/file"), "content");
  EXPECT_EQ(code_of([&] { vfs->rename("moved", "moved/b/c"); }), ErrorCode::would_loop);
  EXPECT_TRUE(code_of([&] { vfs->rename("/", "x"); }));
}

TEST_F(TreeTest, RenameOverObeysKinds) {
  put("file", "file");
  vfs->make_directory("empty", {});
  EXPECT_EQ(code_of([&] { vfs->rename_over("file", "empty").get(); }), ErrorCode::is_a_directory);
  EXPECT_EQ(code_of([&] { vfs->rename_over("empty", "file").get(); }), ErrorCode::not_a_directory);
  EXPECT_EQ(code_of([&] { vfs->rename_over("empty", "a").get(); }), ErrorCode::not_empty);
  vfs->rename_over("a", "empty").get();
  EXPECT_EQ(read("empty/b/file"), "content");
  vfs->rename_over("file", "file").get();
  EXPECT_EQ(read("file"), "file");
  vfs->rename_over("file", "new").get();
  EXPECT_EQ(read("new"), "file");
}

TEST_F(TreeTest, SpaceIsTheQuotasOrPlenty) {
  EXPECT_GT(vfs->space("/").free_bytes, std::uint64_t{1} << 40);
  scratch.database().transact(
      [&](metadata::Transaction& tx) { metadata::Accounts(tx).set_quota(identity.account, 1000); });
  EXPECT_EQ(vfs->space("a").total_bytes, 1000U);
  EXPECT_EQ(vfs->space("a").free_bytes, 993U);
  EXPECT_EQ(code_of([&] { vfs->space("missing"); }), ErrorCode::not_found);
}

}  // namespace
}  // namespace sftpd::vfs
