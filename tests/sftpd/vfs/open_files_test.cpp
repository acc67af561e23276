// What an open file promises: sizes, times, names and handles, in the order of the requests.

#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

class OpenFileTest : public VfsTest {};

TEST_F(OpenFileTest, IsThereForStatAtOnce) {
  const auto handle =
      open("new", {.write = true, .create = true, .exclusive = true}, {.permissions = 0100640});
  EXPECT_EQ(stat("new").size, 0U);
  EXPECT_EQ(stat("new").permissions, 0640U);
  EXPECT_EQ(handle->attributes().posix_mode(), 0100640U);
}

TEST_F(OpenFileTest, SizeIsLiveWhileWriting) {
  const auto handle = create("file");
  write(*handle, 0, noise(300 * kib));
  EXPECT_EQ(stat("file").size, 300 * kib);
  EXPECT_EQ(handle->attributes().size, 300 * kib);
  const auto listed = vfs->open_directory("/")->next(10);
  ASSERT_EQ(listed.size(), 3U);
  EXPECT_EQ(listed[2].attributes.size, 300 * kib) << "also in a listing";
  handle->close().get();
  EXPECT_EQ(stat("file").size, 300 * kib);
}

TEST_F(OpenFileTest, SizeIsRightStraightBehindCloseWhoseCommitStillRuns) {
  const auto handle = create("file");
  write(*handle, 0, noise(20 * kib));
  store.add({.operation = Operation::put, .fault = Fault::hold});
  auto closed = handle->close();
  store.wait_until_held(1);
  EXPECT_EQ(stat("file").size, 20 * kib);
  EXPECT_FALSE(closed.ready());
  store.release();
  closed.get();
  EXPECT_EQ(stat("file").size, 20 * kib);
}

// --- Times ---------------------------------------------------------------------------------------

TEST_F(OpenFileTest, TimesSetOnTheHandleOutliveClose) {
  const auto handle = create("file");
  write(*handle, 0, noise(20 * kib));
  handle->set_attributes({.permissions = 0600, .atime = 1000, .mtime = 2000}).get();
  EXPECT_EQ(stat("file").mtime, 2000);
  handle->close().get();
  EXPECT_EQ(stat("file").atime, 1000);
  EXPECT_EQ(stat("file").mtime, 2000);
  EXPECT_EQ(stat("file").permissions, 0600U);
}

TEST_F(OpenFileTest, TimesAndSizeInOneRequestOutliveClose) {
  const auto handle = create("file");
  write(*handle, 0, noise(20 * kib));
  handle->set_attributes({.size = 10 * kib, .mtime = 2000}).get();
  handle->close().get();
  EXPECT_EQ(stat("file").size, 10 * kib);
  EXPECT_EQ(stat("file").mtime, 2000);
}

TEST_F(OpenFileTest, TimesSetByPathWhileOpenOutliveClose) {
  const auto handle = create("file");
  write(*handle, 0, noise(20 * kib));
  vfs->set_attributes("file", {.mtime = 2000}, Vfs::Links::follow).get();
  handle->close().get();
  EXPECT_EQ(stat("file").mtime, 2000);
}

TEST_F(OpenFileTest, AttributesSetByAnotherProcessAreThereForWhoOpensAgain) {
  put("file", "content");
  const auto first = open_reading("file");
  const auto set_elsewhere = [&](std::int64_t mtime) {
    metadata::NodeChanges changes;
    changes.mode = 0600;
    changes.mtime = metadata::Time{std::chrono::seconds{mtime}};
    scratch.database().transact([&](metadata::Transaction& tx) {
      metadata::Nodes(tx).change(identity.account, node("file").id, changes);
    });
  };
  set_elsewhere(2000);
  const auto second = open_editing("file");
  EXPECT_EQ(second->attributes().mtime, 2000);
  EXPECT_EQ(second->attributes().permissions & 07777, 0600U);
  second->set_attributes({.mtime = 3000}).get();
  EXPECT_EQ(open_reading("file")->attributes().mtime, 3000) << "own changes are in the row";
  write(*second, 0, "edited");
  set_elsewhere(4000);
  EXPECT_GT(open_reading("file")->attributes().mtime, 4000) << "what was written comes later";
  second->close().get();
  set_elsewhere(5000);
  EXPECT_EQ(open_reading("file")->attributes().mtime, 5000);
}

TEST_F(OpenFileTest, TimesSetByPathOfAnUntouchedOpenFileOutliveClose) {
  put("file", "content");
  const auto handle = open_writing("file");
  vfs->set_attributes("file", {.atime = 1000, .mtime = 2000}, Vfs::Links::follow).get();
  handle->close().get();
  EXPECT_EQ(stat("file").mtime, 2000);
  EXPECT_EQ(node("file").size, 7U);
}

TEST_F(OpenFileTest, TimesSetByPathBehindCloseWhoseCommitStillRunsStay) {
  const auto handle = create("file");
  write(*handle, 0, noise(20 * kib));
  store.add({.operation = Operation::put, .fault = Fault::hold});
  auto closed = handle->close();
  store.wait_until_held(1);
  auto changed =
      vfs->set_attributes("file", {.permissions = 0600, .mtime = 2000}, Vfs::Links::follow);
  EXPECT_EQ(stat("file").mtime, 2000) << "a STAT sent behind it sees them";
  EXPECT_EQ(stat("file").permissions, 0600U);
  store.release();
  closed.get();
  changed.get();
  EXPECT_EQ(stat("file").mtime, 2000);
  EXPECT_EQ(stat("file").permissions, 0600U);
}

TEST_F(OpenFileTest, TimesSetOnTheHandleWhileSyncRunsStay) {
  const auto handle = create("file");
  write(*handle, 0, noise(20 * kib));
  store.add({.operation = Operation::put, .fault = Fault::hold});
  auto synced = handle->sync();
  store.wait_until_held(1);
  auto changed = handle->set_attributes({.mtime = 2000});
  auto closed = handle->close();
  store.release();
  synced.get();
  changed.get();
  closed.get();
  EXPECT_EQ(stat("file").mtime, 2000);
}

TEST_F(OpenFileTest, AWriteBehindTheTimesMovesThem) {
  const auto handle = create("file");
  write(*handle, 0, "first");
  handle->set_attributes({.mtime = 2000}).get();
  write(*handle, 5, "second");
  handle->close().get();
  EXPECT_GT(stat("file").mtime, 2000);
}

TEST_F(OpenFileTest, OwnersOtherThanOnesOwnAreRefused) {
  put("file", "content");
  vfs->set_attributes("file", {.uid = 1000, .gid = 0xFFFFFFFF}, Vfs::Links::follow).get();
  EXPECT_EQ(code_of([&] { vfs->set_attributes("file", {.uid = 0}, Vfs::Links::follow).get(); }),
            ErrorCode::permission_denied);
}

// --- Names
// -----------------------------------------------------------------------------------------

TEST_F(OpenFileTest, LivesOnWithoutItsName) {
  put("file", noise(20 * kib));
  const auto handle = open_editing("file");
  write(*handle, 0, "changed");
  vfs->remove_file("file");
  EXPECT_FALSE(exists("file"));
  write(*handle, 7, " again");
  EXPECT_EQ(handle->read(0, 13).get().text(), "changed again");
  EXPECT_EQ(handle->read(13, 100).get().text(), noise(20 * kib).substr(13, 100));
  EXPECT_EQ(handle->attributes().size, 20 * kib);
  handle->close().get();
  EXPECT_FALSE(exists("file"));
}

TEST_F(OpenFileTest, IsAnotherFileThanTheNextOneOfItsName) {
  const auto old_handle = create("file");
  write(*old_handle, 0, "old");
  vfs->remove_file("file");
  const auto new_handle = create("file");
  write(*new_handle, 0, "newer");
  write(*old_handle, 3, " and more");
  old_handle->close().get();
  new_handle->close().get();
  EXPECT_EQ(read("file"), "newer");
}

TEST_F(OpenFileTest, KeepsBeingWrittenThroughARename) {
  const auto handle = create("file");
  write(*handle, 0, noise(100 * kib));
  vfs->rename("file", "renamed");
  write(*handle, 100 * kib, noise(100 * kib, 2));
  handle->close().get();
  EXPECT_FALSE(exists("file"));
  EXPECT_EQ(read("renamed"), noise(100 * kib) + noise(100 * kib, 2));
}

TEST_F(OpenFileTest, RenameOverWaitsForTheCommitOfItsSource) {
  put("target", "old");
  const auto handle = create("source");
  write(*handle, 0, noise(20 * kib));
  store.add({.operation = Operation::put, .fault = Fault::hold});
  auto closed = handle->close();
  auto renamed = vfs->rename_over("source", "target");
  store.wait_until_held(1);
  EXPECT_FALSE(renamed.ready());
  EXPECT_EQ(read_elsewhere("target"), "old") << "never a file without its content";
  store.release();
  closed.get();
  renamed.get();
  EXPECT_EQ(read("target"), noise(20 * kib));
  EXPECT_FALSE(exists("source"));
}

TEST_F(OpenFileTest, RenameOverKeepsTheTargetsIdentity) {
  put("target", "old");
  put("source", "new content");
  const auto kept = node("target").id;
  vfs->rename_over("source", "target").get();
  EXPECT_EQ(node("target").id, kept);
  EXPECT_EQ(read("target"), "new content");
  EXPECT_EQ(text("SELECT count(*) FROM versions WHERE node_id = " + std::to_string(kept.value)),
            "2")
      << "the replaced content is in its history";
}

TEST_F(OpenFileTest, ASourceThatIsStillOpenIsTheTargetAfterRenameOver) {
  put("target", "old");
  const auto kept = node("target").id;
  const auto handle = create("source");
  write(*handle, 0, "first ");
  vfs->rename_over("source", "target").get();
  write(*handle, 6, "second");
  EXPECT_EQ(stat("target").size, 12U) << "its size is live under the new name";
  handle->close().get();
  EXPECT_EQ(read("target"), "first second");
  EXPECT_EQ(node("target").id, kept);
}

TEST_F(OpenFileTest, ATargetThatIsStillOpenLosesItsNameToRenameOver) {
  put("target", "old content");
  put("source", "new");
  const auto handle = open_editing("target");
  write(*handle, 0, "OLD");
  vfs->rename_over("source", "target").get();
  EXPECT_EQ(handle->read(0, 100).get().text(), "OLD content");
  write(*handle, 3, " and changed");
  handle->close().get();
  EXPECT_EQ(read("target"), "new");
}

TEST_F(OpenFileTest, BothOpenInRenameOver) {
  put("target", "old content");
  const auto kept = node("target").id;
  const auto old_handle = open_editing("target");
  write(*old_handle, 0, "OLD");
  const auto new_handle = create("source");
  write(*new_handle, 0, "new");
  vfs->rename_over("source", "target").get();
  write(*new_handle, 3, "er");
  EXPECT_EQ(stat("target").size, 5U) << "the source's open file now has the name";
  write(*old_handle, 3, "!");
  new_handle->close().get();
  old_handle->close().get();
  EXPECT_EQ(read("target"), "newer");
  EXPECT_EQ(node("target").id, kept);
}

TEST_F(OpenFileTest, ATargetsCommitUnderWayDoesNotUndoRenameOver) {
  put("target", "old");
  put("source", "new");
  const auto handle = open_writing("target");
  write(*handle, 0, noise(20 * kib));
  store.add({.operation = Operation::put, .fault = Fault::hold});
  auto closed = handle->close();
  store.wait_until_held(1);
  vfs->rename_over("source", "target").get();
  store.release();
  closed.get();
  EXPECT_EQ(read("target"), "new");
  EXPECT_EQ(read_elsewhere("target"), "new");
}

TEST_F(OpenFileTest, ItsRemovalThatFailsTakesNothingFromIt) {
  vfs->make_directory("directory", {});
  const auto handle = create("directory/file");
  write(*handle, 0, "content");
  vfs->set_attributes("directory", {.permissions = 0500}, Vfs::Links::follow).get();
  EXPECT_EQ(code_of([&] { vfs->remove_file("directory/file"); }), ErrorCode::permission_denied);
  handle->close().get();
  EXPECT_EQ(read("directory/file"), "content");
}

// --- Several handles
// -------------------------------------------------------------------------------

TEST_F(OpenFileTest, IsSharedByItsHandles) {
  const auto writer = create("file");
  const auto reader = open_reading("file");
  const auto editor = open_editing("file");
  write(*writer, 0, noise(100 * kib));
  EXPECT_EQ(reader->attributes().size, 100 * kib);
  EXPECT_EQ(read(*reader), noise(100 * kib)) << "sent parts and buffered bytes alike";
  write(*editor, 10, "edit");
  EXPECT_EQ(reader->read(10, 4).get().text(), "edit");
  writer->close().get();
  write(*editor, 14, "ed");
  editor->close().get();
  EXPECT_EQ(read("file").substr(10, 6), "edited");
}

TEST_F(OpenFileTest, TwoAppendersLoseNothing) {
  put("log", "begin\n");
  const auto first = open("log", {.write = true, .append = true});
  const auto second = open("log", {.write = true, .append = true});
  for (int i = 0; i < 10; ++i) {
    write(*first, 0, "first\n");
    write(*second, 0, "second\n");
  }
  first->close().get();
  second->close().get();
  EXPECT_EQ(stat("log").size, 6U + 10 * 6 + 10 * 7);
}

TEST_F(OpenFileTest, ReadingIsNotHeldBackByACommit) {
  const auto handle = open("file", {.read = true, .write = true, .create = true});
  write(*handle, 0, noise(20 * kib));
  store.add({.operation = Operation::put, .fault = Fault::hold});
  auto synced = handle->sync();
  store.wait_until_held(1);
  auto bytes = handle->read(15 * kib, 1 * kib);
  store.release();
  EXPECT_EQ(bytes.get().text(), noise(20 * kib).substr(15 * kib, 1 * kib));
  synced.get();
}

}  // namespace
}  // namespace sftpd::vfs
