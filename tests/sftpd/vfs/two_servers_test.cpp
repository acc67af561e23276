// Another server renames, replaces or removes a file that is being uploaded here, and the upload
// goes on: its handle follows the file, wherever it is.

#include <functional>

#include "metadata/database.h"
#include "metadata/names/node_cache.h"
#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

metadata::Database::Options options_of(const tests::ScratchDatabase& scratch) {
  metadata::Database::Options options;
  options.url = scratch.url();
  return options;
}

/// `there` is the other server's. Of the file both a new one and one with older content are looked
/// at: the latter is emptied first.
class TwoServersTest : public VfsTest, public ::testing::WithParamInterface<bool> {
 protected:
  TwoServersTest()
      : database_there(options_of(scratch)),
        files_there(database_there, memory_store, options),
        there(files_there, identity) {
    scratch.database().node_cache().distrust();
    if (GetParam()) put("file", noise(100 * kib, 9));
  }

  std::unique_ptr<FileHandle> begin_upload() {
    auto handle = open("file", {.write = true, .create = true, .truncate = true});
    write_all(*handle, uploaded().substr(0, 300'000));
    return handle;
  }
  void end_upload(std::unique_ptr<FileHandle> handle) {
    write_all(*handle, uploaded().substr(300'000), 300'000);
    handle->close().get();
    handle = nullptr;
    restart();  // What is given up is given up when this process has ended.
  }
  /// As after a crash of the database, from which a removal elsewhere has to be told.
  void make_a_connection() {
    auto& database = scratch.database();
    const auto before = database.connections_made();
    const std::function<int(metadata::Transaction&)> hold = [&](metadata::Transaction&) {
      return database.connections_made() == before ? database.query(hold) : 0;
    };
    database.query(hold);
  }
  static std::string uploaded() { return noise(600'000, 7); }
  void put_there(const std::string& path, const std::string& content) {
    const auto handle = there.open_file(path, {.write = true, .create = true}, {});
    write_all(*handle, content);
    handle->close().get();
  }

  /// What nobody will ever look for again.
  void expect_no_orphans() {
    EXPECT_EQ(text("SELECT count(*) FROM uploads JOIN objects ON id = object_id"
                   " WHERE state = 'staging'"),
              "0");
    EXPECT_EQ(text("SELECT count(*) FROM objects WHERE state = 'staging' AND upload <> ''"), "0");
    EXPECT_EQ(text("SELECT count(*) FROM objects o WHERE state = 'live'"
                   " AND NOT EXISTS (SELECT FROM extents e WHERE e.object_id = o.id)"),
              "0");
    EXPECT_EQ(
        text("SELECT used_bytes = (SELECT coalesce(sum(size), 0) FROM nodes WHERE kind = 'file')"
             " FROM account_totals"),
        "t");
  }

  metadata::Database database_there;
  FileSystem files_there;
  Vfs there;
};

TEST_P(TwoServersTest, ARenamedFileGetsTheUpload) {
  auto handle = begin_upload();
  there.rename("file", "renamed");
  EXPECT_EQ(stat("renamed").size, 300'000U);
  end_upload(std::move(handle));
  EXPECT_TRUE(read_elsewhere("renamed") == uploaded());
  EXPECT_FALSE(exists("file"));
  expect_no_orphans();
}

TEST_P(TwoServersTest, AFileThatReplacesAnotherGetsTheUpload) {
  put("target", noise(50 * kib));
  auto handle = begin_upload();
  there.rename_over("file", "target").get();
  EXPECT_EQ(stat("target").size, 300'000U) << "it is what is being uploaded";
  end_upload(std::move(handle));
  EXPECT_TRUE(read_elsewhere("target") == uploaded());
  EXPECT_FALSE(exists("file"));
  expect_no_orphans();
}

TEST_P(TwoServersTest, WhoOpensTheFileThatReplacedAnotherSharesTheUpload) {
  put("target", noise(50 * kib));
  auto handle = begin_upload();
  there.rename_over("file", "target").get();
  const auto second = open_editing("target");
  EXPECT_TRUE(read(*second) == uploaded().substr(0, 300'000));
  write_all(*handle, uploaded().substr(300'000), 300'000);
  handle->close().get();
  EXPECT_TRUE(read(*second) == uploaded());
  second->close().get();
  EXPECT_TRUE(read_elsewhere("target") == uploaded());
}

TEST_P(TwoServersTest, AFileThatReplacedAnotherAndWasWrittenToThereIsOpenedHere) {
  put("target", noise(50 * kib));
  const auto kept = open("file", {.read = true, .write = true, .create = true});
  there.rename_over("file", "target").get();
  put_there("target", noise(120 * kib, 3));
  EXPECT_TRUE(read("target") == noise(120 * kib, 3));
  kept->close().get();
}

TEST_P(TwoServersTest, ARemovedFileSwallowsTheUpload) {
  auto handle = begin_upload();
  there.remove_file("file");
  EXPECT_FALSE(exists("file"));
  make_a_connection();
  end_upload(std::move(handle));
  EXPECT_FALSE(exists("file"));
  EXPECT_EQ(text("SELECT count(*) FROM nodes WHERE kind = 'file'"), "0");
  expect_no_orphans();
}

TEST_P(TwoServersTest, ALinkThatReplacedTheFileStays) {
  auto handle = begin_upload();
  there.make_link("target", "link");
  there.rename_over("link", "file").get();
  make_a_connection();
  end_upload(std::move(handle));
  EXPECT_EQ(vfs->read_link("file"), "target");
}

TEST_P(TwoServersTest, WhatReplacedTheFileStays) {
  put("other", noise(50 * kib));
  auto handle = begin_upload();
  there.rename_over("other", "file").get();
  EXPECT_EQ(stat("file").size, 50 * kib);
  EXPECT_TRUE(read("file") == noise(50 * kib)) << "also here, beside the upload";
  end_upload(std::move(handle));
  EXPECT_TRUE(read("file") == noise(50 * kib));
  EXPECT_TRUE(read_elsewhere("file") == noise(50 * kib));
  expect_no_orphans();
}

TEST_P(TwoServersTest, AnEmptyFileThatReplacedTheFileStaysEmpty) {
  there.open_file("empty", {.write = true, .create = true}, {})->close().get();
  auto handle = begin_upload();
  there.rename_over("empty", "file").get();
  make_a_connection();
  end_upload(std::move(handle));
  EXPECT_EQ(read_elsewhere("file"), "");
  expect_no_orphans();
}

TEST_P(TwoServersTest, WhatReplacedTheRenamedFileStays) {
  put("target", noise(50 * kib));
  put("other", noise(60 * kib));
  auto handle = begin_upload();
  there.rename_over("file", "target").get();
  there.rename_over("other", "target").get();
  end_upload(std::move(handle));
  EXPECT_TRUE(read_elsewhere("target") == noise(60 * kib));
  expect_no_orphans();
}

TEST_P(TwoServersTest, AttributesOfAHandleAreThoseOfItsFile) {
  put("target", noise(50 * kib));
  put("other", noise(60 * kib));
  auto moved = open("file", {.write = true, .create = true});
  there.rename_over("file", "target").get();
  moved->set_attributes({.permissions = 0600, .mtime = 1'500'000'000}).get();
  EXPECT_EQ(node("target").mode, 0600U);
  there.rename_over("other", "target").get();
  moved->set_attributes({.permissions = 0640}).get();
  EXPECT_EQ(node("target").mode, 0644U) << "that is another file's";
  moved->close().get();
}

TEST_P(TwoServersTest, TheLastCloseWins) {
  auto handle = begin_upload();
  const auto other = there.open_file("file", {.write = true, .truncate = true}, {});
  write_all(*other, noise(50 * kib));
  other->close().get();
  EXPECT_TRUE(read_elsewhere("file") == noise(50 * kib));
  end_upload(std::move(handle));
  EXPECT_TRUE(read_elsewhere("file") == uploaded());
  expect_no_orphans();
}

INSTANTIATE_TEST_SUITE_P(Files, TwoServersTest, ::testing::Bool(),
                         [](const auto& of) { return of.param ? "WithContent" : "New"; });

}  // namespace
}  // namespace sftpd::vfs
