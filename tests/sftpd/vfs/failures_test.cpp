// Stores that fail, connections that are lost, processes that are killed.

#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

class FailureTest : public VfsTest {
 protected:
  /// The store refuses whatever is sent to it.
  void break_store() {
    store.add({.operation = Operation::put, .fault = Fault::refuse, .times = 1'000'000});
    store.add({.operation = Operation::create_upload, .fault = Fault::refuse, .times = 1'000'000});
  }
};

TEST_F(FailureTest, AFailedPutKeepsTheOldContent) {
  put("file", noise(60 * kib));
  break_store();
  const auto handle = create("file");
  write(*handle, 0, noise(50 * kib, 2));
  EXPECT_EQ(code_of([&] { handle->close().get(); }), ErrorCode::store_unavailable);
  store.clear();
  EXPECT_EQ(stat("file").size, 60 * kib);
  EXPECT_EQ(read("file"), noise(60 * kib));
  EXPECT_EQ(read_elsewhere("file"), noise(60 * kib));
}

TEST_F(FailureTest, WriteSyncAndCloseRepeatTheFailure) {
  break_store();
  const auto handle = create("file");
  write(*handle, 0, noise(50 * kib));
  EXPECT_EQ(code_of([&] { handle->sync().get(); }), ErrorCode::store_unavailable);
  store.clear();
  EXPECT_EQ(code_of([&] { write(*handle, 50 * kib, "more"); }), ErrorCode::store_unavailable);
  EXPECT_EQ(code_of([&] { handle->sync().get(); }), ErrorCode::store_unavailable);
  EXPECT_EQ(code_of([&] { handle->close().get(); }), ErrorCode::store_unavailable);
}

TEST_F(FailureTest, ALaterOpenWorks) {
  break_store();
  EXPECT_EQ(code_of([&] { put("file", noise(60 * kib)); }), ErrorCode::store_unavailable);
  store.clear();
  EXPECT_EQ(stat("file").size, 0U);
  put("file", noise(70 * kib, 2));
  EXPECT_EQ(read("file"), noise(70 * kib, 2));
}

TEST_F(FailureTest, AFailedPartFailsALaterWriteOrTheClose) {
  store.add({.operation = Operation::upload_part, .skip = 1});
  const auto handle = create("file");
  std::optional<ErrorCode> failure;
  for (std::size_t at = 0; at < 1 * mib && !failure; at += 32 * kib) {
    failure = code_of([&] { write(*handle, at, noise(32 * kib)); });
  }
  const auto at_close = code_of([&] { handle->close().get(); });
  EXPECT_EQ(failure.value_or(ErrorCode::store_unavailable), ErrorCode::store_unavailable);
  EXPECT_EQ(at_close, ErrorCode::store_unavailable);
  EXPECT_EQ(read("file"), "");
}

TEST_F(FailureTest, AFailedCompletionIsTold) {
  put("file", "old");
  store.add({.operation = Operation::complete_upload});
  EXPECT_EQ(code_of([&] { put("file", noise(300 * kib)); }), ErrorCode::store_unavailable);
  EXPECT_EQ(read("file"), "old");
  put("file", noise(300 * kib, 2));
  EXPECT_EQ(read("file"), noise(300 * kib, 2));
}

TEST_F(FailureTest, AFailedTruncationOfAStreamIsRemembered) {
  break_store();
  const auto handle = create("file");
  write(*handle, 0, noise(50 * kib));
  EXPECT_EQ(code_of([&] { handle->set_attributes({.size = 10 * kib}).get(); }),
            ErrorCode::store_unavailable);
  store.clear();
  EXPECT_EQ(code_of([&] { write(*handle, 50 * kib, noise(50 * kib)); }),
            ErrorCode::store_unavailable);
  EXPECT_EQ(code_of([&] { handle->close().get(); }), ErrorCode::store_unavailable);
  EXPECT_EQ(read("file"), "");
}

TEST_F(FailureTest, AFailedTruncationOfWhatArrivedIsRemembered) {
  const auto first = create("file");
  write_all(*first, noise(500 * kib));  // Parts are noted, so that a crash would keep them.
  scratch.execute("ALTER TABLE uploads RENAME TO uploads_elsewhere");
  const auto second = open("file", {.write = true, .create = true, .truncate = true});
  second->set_attributes({.atime = 1}).get();  // Behind the truncation, which has failed by now.
  scratch.execute("ALTER TABLE uploads_elsewhere RENAME TO uploads");
  EXPECT_TRUE(code_of([&] {
    write(*second, 0, "new");
    second->close().get();
  })) << "the old bytes are still behind the new ones";
}

TEST_F(FailureTest, AFailedEditKeepsTheOldContent) {
  put("file", noise(60 * kib));
  break_store();
  auto handle = open_editing("file");
  write(*handle, 10, noise(20 * kib, 2));
  EXPECT_EQ(code_of([&] { handle->close().get(); }), ErrorCode::store_unavailable);
  handle = nullptr;
  store.clear();
  EXPECT_EQ(read("file"), noise(60 * kib));
  drain();
  EXPECT_EQ(files->memory().used(), 0U);
}

TEST_F(FailureTest, TheFailureEndsWithItsLastHandle) {
  put("file", noise(60 * kib));
  break_store();
  const auto first = open_writing("file");
  const auto second = open_writing("file");
  write(*first, 0, noise(50 * kib, 2));
  EXPECT_EQ(code_of([&] { first->close().get(); }), ErrorCode::store_unavailable);
  store.clear();
  EXPECT_EQ(code_of([&] { write(*second, 0, "x"); }), ErrorCode::store_unavailable);
  EXPECT_EQ(code_of([&] { second->close().get(); }), ErrorCode::store_unavailable);
  const auto third = open_writing("file");
  write(*third, 0, "third");
  third->close().get();
  EXPECT_EQ(read("file"), "third" + noise(60 * kib).substr(5));
}

TEST_F(FailureTest, AFailedWriterDoesNotDisturbReaders) {
  put("file", noise(60 * kib));
  const auto reader = open_reading("file");
  const auto writer = create("file");
  write(*writer, 0, noise(50 * kib, 2));  // Less than a part: nothing is sent before the sync.
  EXPECT_EQ(reader->attributes().size, 50 * kib);
  break_store();
  EXPECT_EQ(code_of([&] { writer->sync().get(); }), ErrorCode::store_unavailable);
  store.clear();
  EXPECT_EQ(reader->attributes().size, 60 * kib);
  EXPECT_EQ(stat("file").size, 60 * kib);
  EXPECT_TRUE(read(*reader) == noise(60 * kib));
  EXPECT_TRUE(read("file") == noise(60 * kib)) << "also by who comes later";
  EXPECT_EQ(code_of([&] { write(*writer, 0, "x"); }), ErrorCode::store_unavailable);
  EXPECT_EQ(code_of([&] { writer->close().get(); }), ErrorCode::store_unavailable);
  EXPECT_TRUE(read(*reader) == noise(60 * kib));
}

TEST_F(FailureTest, WhoReadsWhatCannotBeSentGetsTheCommittedContent) {
  put("file", "old");
  const auto reader = open_reading("file");
  const auto writer = create("file");
  write_all(*writer, noise(300 * kib));
  store.add({.operation = Operation::complete_upload});
  EXPECT_EQ(reader->read(0, 100).get().text(), "old") << "the READ ends what is on its way";
  EXPECT_EQ(code_of([&] { write(*writer, 300 * kib, "x"); }), ErrorCode::store_unavailable);
  EXPECT_EQ(code_of([&] { writer->close().get(); }), ErrorCode::store_unavailable);
  EXPECT_EQ(read("file"), "old");
}

TEST_F(FailureTest, WhoWritesDoesNotReadOldBytesAsTheirOwn) {
  put("file", noise(60 * kib));
  const auto reader = open_reading("file");
  const auto editor = open_editing("file");
  write(*editor, 10, noise(20 * kib, 2));
  break_store();
  EXPECT_EQ(code_of([&] { editor->sync().get(); }), ErrorCode::store_unavailable);
  store.clear();
  EXPECT_EQ(code_of([&] { editor->read(10, 100).get(); }), ErrorCode::store_unavailable);
  EXPECT_TRUE(read(*reader) == noise(60 * kib));
  EXPECT_EQ(code_of([&] { editor->close().get(); }), ErrorCode::store_unavailable);
}

TEST_F(FailureTest, AFailedFileWithoutANameIsNotReadFromBeforeItsSync) {
  put("file", noise(60 * kib));
  const auto reader = open_reading("file");
  const auto writer = create("file");
  vfs->remove_file("file");
  write(*writer, 0, noise(20 * kib, 2));
  writer->sync().get();
  store.add({.operation = Operation::complete_upload});
  EXPECT_TRUE(code_of([&] {
    write_all(*writer, noise(300 * kib, 3), 20 * kib);
    writer->set_attributes({.size = 100 * kib}).get();
  }));
  EXPECT_EQ(code_of([&] { reader->read(0, 100).get(); }), ErrorCode::store_unavailable);
}

TEST_F(FailureTest, WhatFailedLeavesNoMemoryAndNoObjectBehind) {
  store.add({.operation = Operation::upload_part, .skip = 2});
  EXPECT_TRUE(code_of([&] { put("file", noise(600 * kib)); }));
  drain();
  EXPECT_EQ(read("file"), "");
  restart();  // Waits for what was given up.
  EXPECT_EQ(files->memory().used(), 0U);
  EXPECT_EQ(text("SELECT count(*) FROM objects WHERE state = 'staging'"), "0");
}

TEST_F(FailureTest, AReadThatFailsIsToldAndTheNextOneWorks) {
  put("file", noise(60 * kib));
  restart();
  const auto handle = open_writing("file");  // No prefetch.
  const auto reader = open_editing("file");
  store.add({.operation = Operation::get});
  EXPECT_EQ(code_of([&] { reader->read(0, 100).get(); }), ErrorCode::store_unavailable);
  EXPECT_EQ(reader->read(0, 100).get().text(), noise(60 * kib).substr(0, 100));
}

TEST_F(FailureTest, AMissingObjectIsDamage) {
  put("file", noise(60 * kib));
  restart();
  for (const auto& key : memory_store.keys()) memory_store.remove(key).get();
  const auto reader = open_reading("file");
  EXPECT_EQ(code_of([&] { reader->read(0, 100).get(); }), ErrorCode::content_damaged);
}

// --- Lost connections
// ------------------------------------------------------------------------------

TEST_F(FailureTest, ALostConnectionKeepsWhatArrived) {
  put("file", "old");
  {
    const auto handle = create("file");
    write(*handle, 0, noise(200 * kib));
  }
  drain();
  EXPECT_EQ(read("file"), noise(200 * kib));
  EXPECT_TRUE(node("file").incomplete);
  EXPECT_EQ(text("SELECT count(*) FROM versions WHERE replaced_at IS NOT NULL AND size = 3"), "1");
}

TEST_F(FailureTest, AResumedUploadIsComplete) {
  {
    const auto handle = create("file");
    write(*handle, 0, noise(200 * kib));
  }
  drain();
  const auto handle = open_writing("file");
  EXPECT_EQ(handle->attributes().size, 200 * kib);
  write(*handle, 200 * kib, noise(100 * kib, 2));
  handle->close().get();
  EXPECT_EQ(read("file"), noise(200 * kib) + noise(100 * kib, 2));
  EXPECT_FALSE(node("file").incomplete);
}

TEST_F(FailureTest, AnUploadThatOnlyLackedItsCloseIsCompleteAfterOne) {
  {
    const auto handle = create("file");
    write(*handle, 0, noise(200 * kib));
  }
  drain();
  ASSERT_TRUE(node("file").incomplete);
  open_writing("file")->close().get();
  EXPECT_FALSE(node("file").incomplete);
  EXPECT_EQ(read("file"), noise(200 * kib));
}

TEST_F(FailureTest, ALostUploadKeepsItsPrefixOnly) {
  {
    const auto handle = create("file");
    write(*handle, 0, noise(20 * kib));
    write(*handle, 30 * kib, noise(20 * kib, 2));  // What lies between never arrived.
  }
  drain();
  EXPECT_EQ(read("file"), noise(20 * kib)) << "whoever resumes goes on at the end";
}

TEST_F(FailureTest, ALostUploadKeepsItsPrefixOnlyAlsoAfterItWasCut) {
  {
    const auto handle = create("file");
    write_all(*handle, noise(300 * kib));
    write(*handle, 310 * kib, noise(20 * kib, 2));
    // Somebody reads what is on its way to the store: the stream ends here.
    EXPECT_EQ(open_reading("file")->read(0, 100).get().size(), 100U);
    write(*handle, 300 * kib, noise(5 * kib, 3));
  }
  drain();
  EXPECT_EQ(stat("file").size, 305 * kib);
  EXPECT_TRUE(read("file") == noise(300 * kib) + noise(5 * kib, 3));
}

TEST_F(FailureTest, ALostEditKeepsAllThatArrived) {
  put("file", noise(60 * kib));
  {
    const auto handle = open_editing("file");
    write(*handle, 70 * kib, "behind a hole");
    write(*handle, 10, "edit");
  }
  drain();
  std::string expected = noise(60 * kib) + std::string(10 * kib, '\0') + "behind a hole";
  expected.replace(10, 4, "edit");
  EXPECT_EQ(read("file"), expected);
}

TEST_F(FailureTest, ALostConnectionMayBeSetToDiscard) {
  options.interrupted_uploads = FileSystem::InterruptedUploads::discard;
  restart();
  put("file", noise(60 * kib));
  {
    const auto handle = create("file");
    write(*handle, 0, noise(200 * kib, 2));
    const auto fresh = create("fresh");
    write(*fresh, 0, noise(200 * kib, 3));
  }
  drain();
  EXPECT_EQ(read("file"), noise(60 * kib));
  EXPECT_FALSE(node("file").incomplete);
  EXPECT_EQ(stat("fresh").size, 0U);
}

TEST_F(FailureTest, AHandleThatStaysKeepsWritingWhatTheLostOneBegan) {
  const auto stays = create("file");
  {
    const auto lost = open_writing("file");
    write(*lost, 0, noise(100 * kib));
  }
  write(*stays, 100 * kib, noise(50 * kib, 2));
  stays->close().get();
  EXPECT_EQ(read("file"), noise(100 * kib) + noise(50 * kib, 2));
  EXPECT_FALSE(node("file").incomplete);
}

TEST_F(FailureTest, ALostConnectionWithAFailingStoreKeepsTheOldContent) {
  put("file", noise(60 * kib));
  break_store();
  {
    const auto handle = create("file");
    write(*handle, 0, noise(20 * kib, 2));
  }
  drain();
  store.clear();
  EXPECT_EQ(read("file"), noise(60 * kib));
}

TEST_F(FailureTest, TheProcessMayEndWhilePartsOfAGivenUpUploadAreOnTheirWay) {
  options.interrupted_uploads = FileSystem::InterruptedUploads::discard;
  restart();
  store.add({.operation = Operation::upload_part,
             .fault = Fault::delay,
             .times = 3,
             .delay = std::chrono::milliseconds{100}});
  {
    const auto handle = create("file");
    write(*handle, 0, noise(200 * kib));
  }
  restart();
  EXPECT_EQ(stat("file").size, 0U);
}

}  // namespace
}  // namespace sftpd::vfs
