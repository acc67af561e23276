// Files in several pieces become one object, and nobody sees a change.

#include <thread>

#include "tests/sftpd/vfs/flatten_fixture.h"

namespace sftpd::vfs {
namespace {

TEST_F(FlattenTest, AScatteredFileBecomesOneObjectAndNobodySeesIt) {
  const std::string expected = make_scattered("file");
  const auto before = node("file");
  EXPECT_NE(extents_of("file"), "1");
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  const auto after = node("file");
  EXPECT_EQ(after.version, before.version);
  EXPECT_EQ(after.size, before.size);
  EXPECT_EQ(after.mode, before.mode);
  EXPECT_EQ(after.atime, before.atime);
  EXPECT_EQ(after.mtime, before.mtime);
  EXPECT_EQ(after.ctime, before.ctime);
  EXPECT_EQ(read("file"), expected);
  EXPECT_EQ(read_elsewhere("file"), expected);
  EXPECT_EQ(flatten(), 0) << "once";
  EXPECT_EQ(files->counts().flattened_files.value(), 1U);
  EXPECT_EQ(files->counts().flatten_failures.value(), 0U);
}

TEST_F(FlattenTest, WhatNothingNeedsAnyMoreIsDeleted) {
  const std::string expected = make_scattered("file");
  put("whole", noise(100 * kib, 9));
  flatten();
  collect();
  EXPECT_EQ(live_objects(), 2);
  EXPECT_EQ(memory_store.object_count(), 2U);
  EXPECT_EQ(memory_store.upload_count(), 0U);
  EXPECT_EQ(read_elsewhere("file"), expected);
}

/// Such a version is pruned a minute later, so that nothing says where its bytes are but the
/// reader.
TEST_F(FlattenTest, WhoReadsContentThatWasReplacedAtOnceReadsOn) {
  const std::string old = noise(4 << 20);
  put("file", old);
  const auto reader = open_reading("file");
  put("newer", noise(200 * kib, 2));
  vfs->rename_over("newer", "file").get();
  text(
      "UPDATE versions SET created_at = created_at - interval '2 minutes',"
      " replaced_at = replaced_at - interval '2 minutes'");
  scratch.database().transact(
      [](metadata::Transaction& tx) { metadata::Versions(tx).prune(std::chrono::days{7}, 100); });
  EXPECT_EQ(text("SELECT count(*) FROM versions"), "1");
  text("UPDATE objects SET dead_at = dead_at - interval '6 days' WHERE state = 'dead'");
  jobs::collect_garbage(scratch.database(), store, {}, {});
  EXPECT_EQ(text("SELECT count(*) FROM objects WHERE state = 'dead'"), "1");
  EXPECT_TRUE(read(*reader) == old);
}

TEST_F(FlattenTest, HistoryAndCopiesKeepWhatTheyShare) {
  const std::string first = noise(200 * kib);
  put("file", first);
  const auto source = open_reading("file");
  const auto copy = open("copy", {.read = true, .write = true, .create = true});
  source->copy_to(0, 0, *copy, 0).get();
  copy->close().get();
  std::string expected = first;
  edit("file", 100'000, noise(100, 2), expected);
  flatten();
  collect();
  EXPECT_EQ(read_elsewhere("copy"), first);
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(FlattenTest, ACopyFindsBytesThatWereJoinedElsewhereLongAgo) {
  const std::string expected = make_scattered("file");
  const auto source = open_reading("file");
  const auto copy = open("copy", {.read = true, .write = true, .create = true});
  FileSystem elsewhere(scratch.database(), memory_store, options);
  EXPECT_EQ(flatten(elsewhere), 1);
  collect();
  source->copy_to(0, 0, *copy, 0).get();
  copy->close().get();
  EXPECT_TRUE(read_elsewhere("copy") == expected);
}

TEST_F(FlattenTest, InlineBytesAndHolesBecomePartOfTheObject) {
  options.inline_max = 1 * kib;
  restart();
  std::string expected = noise(150 * kib);
  put("file", expected);
  edit("file", 10, noise(20, 2), expected);
  edit("file", 250'000, noise(500, 3), expected);
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  EXPECT_EQ(read_elsewhere("file"), expected);
  EXPECT_EQ(text("SELECT count(*) FROM extents e JOIN nodes n ON n.version_id = e.version_id"
                 " WHERE inline IS NOT NULL"),
            "0");
}

TEST_F(FlattenTest, ACutFileLetsTheLongObjectGo) {
  put("file", noise(300 * kib));
  AttributeChanges cut;
  cut.size = 100'000;
  vfs->set_attributes("file", cut, Vfs::Links::follow).get();
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  collect();
  EXPECT_EQ(live_objects(), 1);
  EXPECT_EQ(read_elsewhere("file"), noise(300 * kib).substr(0, 100'000));
}

TEST_F(FlattenTest, AlmostEmptySparseFilesStayAsTheyAre) {
  put("file", noise(100 * kib));
  AttributeChanges grown;
  grown.size = std::uint64_t{1} << 40;
  vfs->set_attributes("file", grown, Vfs::Links::follow).get();
  const int puts = store.calls(Operation::upload_part);
  EXPECT_EQ(flatten(), 1);
  EXPECT_EQ(store.calls(Operation::upload_part), puts);
  EXPECT_EQ(extents_of("file"), "1");
  EXPECT_EQ(flatten(), 0);
}

TEST_F(FlattenTest, AYoungFileIsLeftAlone) {
  make_scattered("file");
  EXPECT_EQ(files->flatten(std::chrono::hours{1}, 10, {}), 0);
}

TEST_F(FlattenTest, AFileOpenForWritingIsLeftAlone) {
  std::string expected = make_scattered("file");
  {
    const auto handle = open_editing("file");
    EXPECT_EQ(flatten(), 1);
    EXPECT_FALSE(is_flat("file"));
    handle->close().get();
  }
  forget_claims();
  const auto reading = open_reading("file");
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  EXPECT_EQ(read(*reading), expected);
}

TEST_F(FlattenTest, TheHashIsKnownWhereAllBytesWereSent) {
  std::string expected = noise(2'000);
  put("small", expected);
  edit("small", 100, "edit", expected);
  flatten();
  EXPECT_EQ(text("SELECT count(*) FROM versions v JOIN nodes n ON n.version_id = v.id"
                 " WHERE v.sha256 IS NOT NULL"),
            "1");
  put("again", expected);
  EXPECT_EQ(live_objects(), 2) << "that of the history, and one that two files share";
}

TEST_F(FlattenTest, WhoHasTheFileOpenInAnotherProcessReadsAndWritesOn) {
  std::string expected = make_scattered("file");
  const auto reading = open_reading("file");
  const auto editing = open_editing("file");
  write(*editing, 1'000, "edited");
  {
    FileSystem other(scratch.database(), store, options);
    EXPECT_EQ(flatten(other), 1);
    EXPECT_TRUE(is_flat("file"));
  }
  collect();
  // The objects that both were opened on are gone.
  expected.replace(1'000, 6, "edited");
  EXPECT_EQ(read(*reading), expected);
  editing->close().get();
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(FlattenTest, ACommitFollowsBytesThatMoved) {
  std::string expected = make_scattered("file");
  const auto editing = open_editing("file");
  {
    FileSystem other(scratch.database(), store, options);
    EXPECT_EQ(flatten(other), 1);
  }
  collect();
  write(*editing, 1'000, "edited");
  write(*editing, 270'000, noise(30'000, 6));
  expected.replace(1'000, 6, "edited");
  expected.replace(270'000, std::string::npos, noise(30'000, 6));
  editing->close().get();
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(FlattenTest, ACommitMeanwhileWins) {
  std::string expected = make_scattered("file");
  store.add({.operation = Operation::complete_upload, .fault = Fault::hold});
  std::thread flattening([&] { files->flatten(no_quiet, 1, {}); });
  store.wait_until_held(1);
  edit("file", 5, "newer", expected);
  store.release();
  flattening.join();
  EXPECT_FALSE(is_flat("file"));
  EXPECT_EQ(read_elsewhere("file"), expected);
  collect();
  EXPECT_EQ(read_elsewhere("file"), expected);
  EXPECT_EQ(memory_store.upload_count(), 0U);
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(FlattenTest, ARemovalMeanwhileWins) {
  make_scattered("file");
  store.add({.operation = Operation::complete_upload, .fault = Fault::hold});
  std::thread flattening([&] { flatten(); });
  store.wait_until_held(1);
  vfs->remove_file("file");
  store.release();
  flattening.join();
  collect();
  EXPECT_EQ(memory_store.object_count(), 0U);
  EXPECT_EQ(memory_store.upload_count(), 0U);
}

TEST_F(FlattenTest, AFailingStoreLeavesTheFileAndNothingElse) {
  const std::string expected = make_scattered("file");
  make_scattered("other");
  for (const Operation operation :
       {Operation::create_upload, Operation::copy_part, Operation::upload_part, Operation::get,
        Operation::complete_upload}) {
    forget_claims();
    store.add({.operation = operation});
    EXPECT_THROW(flatten(), std::exception);
    EXPECT_FALSE(is_flat("file"));
    EXPECT_EQ(read_elsewhere("file"), expected);
    store.clear();
    text("UPDATE versions SET flatten_at = NULL WHERE node_id = " +
         std::to_string(node("other").id.value));
  }
  EXPECT_TRUE(is_flat("other")) << "one failure does not hold up the others";
  collect();
  EXPECT_EQ(memory_store.upload_count(), 0U);
  forget_claims();
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  collect();
  EXPECT_EQ(memory_store.object_count(), 2U);
}

TEST_F(FlattenTest, ALostAnswerToTheCompletionLeaksNothing) {
  const std::string expected = make_scattered("file");
  store.add({.operation = Operation::complete_upload, .fault = Fault::lose_answer});
  EXPECT_THROW(flatten(), std::exception);
  collect();
  EXPECT_EQ(read_elsewhere("file"), expected);
  forget_claims();
  flatten();
  collect();
  EXPECT_EQ(memory_store.object_count(), 1U);
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(FlattenTest, ItStopsWhenAsked) {
  make_scattered("file");
  std::stop_source stop;
  store.add({.operation = Operation::create_upload, .fault = Fault::hold});
  std::thread flattening([&] { files->flatten(no_quiet, 10, stop.get_token()); });
  store.wait_until_held(1);
  stop.request_stop();
  store.release();
  flattening.join();
  EXPECT_FALSE(is_flat("file"));
  collect();
  EXPECT_EQ(memory_store.upload_count(), 0U);
}

TEST_F(FlattenTest, TwoProcessesShareTheWork) {
  for (int i = 0; i < 6; ++i) make_scattered("file-" + std::to_string(i));
  FileSystem other(scratch.database(), store, options);
  int first = 0;
  std::thread thread([&] { first = flatten(); });
  const int second = flatten(other);
  thread.join();
  EXPECT_EQ(first + second, 6);
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(is_flat("file-" + std::to_string(i)));
}

TEST_F(FlattenTest, WithoutMemoryItGetsOnPartByPart) {
  const std::string expected = make_scattered("file");
  std::size_t taken = 0;
  while (files->memory().try_reserve(kib)) taken += kib;
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  EXPECT_EQ(read_elsewhere("file"), expected);
  EXPECT_EQ(files->memory().used(), taken);
  files->memory().release(taken);
}

}  // namespace
}  // namespace sftpd::vfs
