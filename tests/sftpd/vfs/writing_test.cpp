// What is written: truncating, appending, overwriting, out of order, parts, duplicates, quota.

#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

class WritingTest : public VfsTest {};

std::string zeros(std::size_t size) { return std::string(size, '\0'); }

TEST_F(WritingTest, ContentOfEverySizeComesBack) {
  for (const std::size_t size :
       {0U, 1U, 1023U, 1024U, 1025U, 65535U, 65536U, 65537U, 131072U, 200'000U, 1'000'000U}) {
    put("file", noise(size, static_cast<unsigned>(size)));
    EXPECT_EQ(stat("file").size, size);
    EXPECT_EQ(read("file"), noise(size, static_cast<unsigned>(size))) << size;
  }
  EXPECT_EQ(read_elsewhere("file"), noise(1'000'000, 1'000'000));
}

TEST_F(WritingTest, AFileThatFitsOnePartIsOnePut) {
  put("file", noise(60 * kib));
  EXPECT_EQ(store.calls(Operation::put), 1);
  EXPECT_EQ(store.calls(Operation::create_upload), 0);
}

TEST_F(WritingTest, ASmallFileStaysInTheDatabase) {
  put("file", noise(1 * kib));
  EXPECT_EQ(store.calls(Operation::put), 0);
  EXPECT_EQ(read_elsewhere("file"), noise(1 * kib));
}

TEST_F(WritingTest, ALargeFileIsOneObject) {
  put("file", noise(300 * kib));
  EXPECT_EQ(store.calls(Operation::create_upload), 1);
  EXPECT_EQ(store.calls(Operation::upload_part), 5);
  EXPECT_EQ(text("SELECT count(*) FROM extents"), "1");
  EXPECT_EQ(memory_store.upload_count(), 0U);
}

TEST_F(WritingTest, OneWriteMayBeLargerThanManyParts) {
  const auto handle = create("file");
  write(*handle, 0, noise(900 * kib));
  write(*handle, 900 * kib, noise(250 * kib, 2));
  handle->close().get();
  EXPECT_EQ(read("file"), noise(900 * kib) + noise(250 * kib, 2));
}

TEST_F(WritingTest, PartsGrowAndTheFileStaysOneObject) {
  // 60 parts at most: they double every 12, and the window must hold the larger ones too.
  storage::Limits limits;
  limits.part_size_min = 4 * kib;
  limits.parts_max = 60;
  test_support::MemoryObjectStore small(limits);
  options.part_size = 16 * kib;
  FileSystem there(scratch.database(), small, options);
  Vfs tree(there, identity);
  const std::string content = noise(12 * 16 * kib + 12 * 32 * kib + 12 * 64 * kib + 100 * kib);
  const auto handle = tree.open_file("file", {.write = true, .create = true}, {});
  write_all(*handle, content);
  handle->close().get();
  EXPECT_EQ(read(*tree.open_file("file", {.read = true}, {})), content);
  EXPECT_EQ(small.object_count(), 1U);
}

TEST_F(WritingTest, EqualPartsWhereTheStoreWantsThem) {
  storage::Limits limits;
  limits.part_size_min = 4 * kib;
  limits.parts_equal = true;
  test_support::MemoryObjectStore equal(limits);
  FileSystem there(scratch.database(), equal, options);
  Vfs tree(there, identity);
  const auto handle = tree.open_file("file", {.write = true, .create = true}, {});
  write_all(*handle, noise(777'777));
  handle->close().get();
  EXPECT_EQ(read(*tree.open_file("file", {.read = true}, {})), noise(777'777));
}

// --- Out of order
// ------------------------------------------------------------------------------------

TEST_F(WritingTest, OutOfOrderInsideTheWindowIsStillOneObject) {
  const std::string content = noise(512 * kib);
  const auto handle = create("file");
  write(*handle, 0, content.substr(0, 16 * kib));
  for (std::size_t at = 16 * kib; at < content.size() - 32 * kib; at += 32 * kib) {
    write(*handle, at + 16 * kib, content.substr(at + 16 * kib, 16 * kib));
    write(*handle, at, content.substr(at, 16 * kib));
  }
  write(*handle, 496 * kib, content.substr(496 * kib));
  handle->close().get();
  EXPECT_EQ(read("file"), content);
  EXPECT_EQ(text("SELECT count(*) FROM extents"), "1");
}

TEST_F(WritingTest, BackwardsIsSlowButRight) {
  const std::string content = noise(400 * kib);
  const auto handle = create("file");
  for (std::size_t at = content.size(); at > 0; at -= 16 * kib) {
    write(*handle, at - 16 * kib, content.substr(at - 16 * kib, 16 * kib));
  }
  handle->close().get();
  EXPECT_EQ(read("file"), content);
}

TEST_F(WritingTest, AHoleReadsAsZeros) {
  const auto handle = create("file");
  write(*handle, 0, "begin");
  write(*handle, 1'000'000, "end");
  write(*handle, 500'000, "middle");
  handle->close().get();
  EXPECT_EQ(stat("file").size, 1'000'003U);
  EXPECT_EQ(read("file"), "begin" + zeros(499'995) + "middle" + zeros(499'994) + "end");
}

TEST_F(WritingTest, TheSameBytesTwiceAreTheLaterOnes) {
  const auto handle = create("file");
  write(*handle, 0, noise(200 * kib));
  write(*handle, 10 * kib, noise(30 * kib, 2));  // Sent already.
  write(*handle, 195 * kib, noise(2 * kib, 3));  // Still in memory.
  write(*handle, 200 * kib, noise(100 * kib, 4));
  handle->close().get();
  std::string expected = noise(200 * kib) + noise(100 * kib, 4);
  expected.replace(10 * kib, 30 * kib, noise(30 * kib, 2));
  expected.replace(195 * kib, 2 * kib, noise(2 * kib, 3));
  EXPECT_EQ(read("file"), expected);
  EXPECT_EQ(read_elsewhere("file"), expected);
}

// --- Sizes
// -----------------------------------------------------------------------------------------

TEST_F(WritingTest, TruncatesBothWays) {
  put("file", noise(200 * kib));
  vfs->set_attributes("file", {.size = 100 * kib}, Vfs::Links::follow).get();
  EXPECT_EQ(read("file"), noise(200 * kib).substr(0, 100 * kib));
  vfs->set_attributes("file", {.size = 150 * kib}, Vfs::Links::follow).get();
  EXPECT_EQ(read("file"), noise(200 * kib).substr(0, 100 * kib) + zeros(50 * kib));
  vfs->set_attributes("file", {.size = 0}, Vfs::Links::follow).get();
  EXPECT_EQ(read("file"), "");
  vfs->set_attributes("file", {.size = 3}, Vfs::Links::follow).get();
  EXPECT_EQ(read_elsewhere("file"), zeros(3));
}

TEST_F(WritingTest, TruncatesWhatStreams) {
  const auto handle = create("file");
  write(*handle, 0, noise(200 * kib));
  handle->set_attributes({.size = 100 * kib}).get();
  EXPECT_EQ(stat("file").size, 100 * kib);
  write(*handle, 100 * kib, noise(50 * kib, 2));
  handle->set_attributes({.size = 200 * kib}).get();
  handle->set_attributes({.size = 199 * kib}).get();
  handle->close().get();
  EXPECT_EQ(read("file"),
            noise(200 * kib).substr(0, 100 * kib) + noise(50 * kib, 2) + zeros(49 * kib));
}

TEST_F(WritingTest, TruncatesToNothingAndStartsOver) {
  auto handle = create("file");
  write(*handle, 0, noise(200 * kib));
  handle->set_attributes({.size = 0}).get();
  write(*handle, 0, noise(100 * kib, 2));
  handle->close().get();
  handle = nullptr;
  EXPECT_EQ(read("file"), noise(100 * kib, 2));
  drain();
  EXPECT_EQ(live_objects(), 1);
}

TEST_F(WritingTest, WhatWasCutOffIsZerosWhenTheFileGrowsAgain) {
  const auto handle = open("file", {.read = true, .write = true, .create = true});
  write(*handle, 0, noise(100));
  handle->set_attributes({.size = 10}).get();
  handle->set_attributes({.size = 100}).get();
  EXPECT_EQ(read(*handle), noise(100).substr(0, 10) + zeros(90));
  handle->close().get();
  EXPECT_EQ(read("file"), noise(100).substr(0, 10) + zeros(90));
}

TEST_F(WritingTest, ScpOverwritesWithoutTruncAndSetsTheSizeBehindIt) {
  put("file", noise(300 * kib));
  const auto handle = open("file", {.write = true, .create = true});
  write_all(*handle, noise(100 * kib, 2));
  handle->set_attributes({.size = 100 * kib}).get();
  handle->close().get();
  EXPECT_EQ(read("file"), noise(100 * kib, 2));
}

TEST_F(WritingTest, OverwritingTheBeginningKeepsTheRest) {
  put("file", noise(300 * kib));
  const auto handle = open_writing("file");
  write_all(*handle, noise(100 * kib, 2));
  handle->close().get();
  EXPECT_EQ(read("file"), noise(100 * kib, 2) + noise(300 * kib).substr(100 * kib));
}

TEST_F(WritingTest, SizesNoFileCanHaveAreRefused) {
  const auto handle = create("file");
  for (const std::uint64_t beyond : {std::uint64_t{1} << 63, file_size_max + 1}) {
    EXPECT_EQ(code_of([&] { start_write(*handle, beyond, "x").get(); }), ErrorCode::file_too_large);
    EXPECT_EQ(code_of([&] { handle->set_attributes({.size = beyond}).get(); }),
              ErrorCode::file_too_large);
    EXPECT_EQ(
        code_of([&] { vfs->set_attributes("file", {.size = beyond}, Vfs::Links::follow).get(); }),
        ErrorCode::file_too_large);
  }
  EXPECT_EQ(code_of([&] { start_write(*handle, file_size_max, "x").get(); }),
            ErrorCode::file_too_large);
  EXPECT_EQ(handle->attributes().size, 0U);
}

TEST_F(WritingTest, TheLargestFileTakesNoMore) {
  const auto handle = create("file");
  handle->set_attributes({.size = file_size_max}).get();
  handle->close().get();
  EXPECT_EQ(vfs->stat("file", Vfs::Links::follow).size, file_size_max);
  const auto appender = open("file", {.write = true, .append = true});
  EXPECT_EQ(code_of([&] { start_write(*appender, 0, "x").get(); }), ErrorCode::file_too_large);
}

// --- Appending
// -------------------------------------------------------------------------------------

TEST_F(WritingTest, AppendGoesToTheEndWhateverItsOffset) {
  put("file", noise(100 * kib));
  const auto handle = open("file", {.write = true, .append = true, .create = true});
  write(*handle, 0, noise(50 * kib, 2));
  write(*handle, 7, noise(50 * kib, 3));
  write(*handle, 10'000'000, noise(1 * kib, 4));
  EXPECT_EQ(stat("file").size, 201 * kib);
  handle->close().get();
  EXPECT_EQ(read("file"),
            noise(100 * kib) + noise(50 * kib, 2) + noise(50 * kib, 3) + noise(1 * kib, 4));
}

TEST_F(WritingTest, ResumingStoresTheNewBytesOnly) {
  put("file", noise(200 * kib));
  const int before = store.calls(Operation::upload_part);
  const auto handle = open_writing("file");
  write(*handle, 200 * kib, noise(20 * kib, 2));
  handle->close().get();
  EXPECT_EQ(read("file"), noise(200 * kib) + noise(20 * kib, 2));
  EXPECT_EQ(store.calls(Operation::upload_part), before);
  EXPECT_EQ(text("SELECT max(size) FROM objects WHERE size < 100000"), std::to_string(20 * kib));
}

TEST_F(WritingTest, AnEditStoresTheChangedBytesOnly) {
  put("file", noise(1'000'000));
  const auto handle = open_editing("file");
  write(*handle, 500'000, noise(4 * kib, 2));
  EXPECT_EQ(handle->read(499'999, 3).get().text(),
            noise(1'000'000).substr(499'999, 1) + noise(4 * kib, 2).substr(0, 2));
  handle->close().get();
  EXPECT_EQ(text("SELECT min(size) FROM objects WHERE state = 'live'"), std::to_string(4 * kib));
  std::string expected = noise(1'000'000);
  expected.replace(500'000, 4 * kib, noise(4 * kib, 2));
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(WritingTest, AnEditLargerThanAllMemoryIsStored) {
  options.transfer_memory_max = 32 * mib;
  options.commit_threads = 1;
  restart();
  const std::size_t size = 40 * mib;
  const std::string content = noise(1 * mib);
  const auto handle = open("file", {.read = true, .write = true, .create = true});
  write(*handle, size - 1, "x");
  for (std::size_t at = 0; at < size; at += 2 * mib) write(*handle, at, content);
  handle->close().get();
  const auto reader = open_reading("file");
  for (std::size_t at = 0; at < size; at += 2 * mib) {
    ASSERT_EQ(reader->read(at, 1 * mib).get().text(), content);
    ASSERT_EQ(reader->read(at + 1 * mib, 10).get().text(), zeros(10));
  }
}

// --- Duplicates, history, quota
// --------------------------------------------------------------------

TEST_F(WritingTest, ADuplicateStoresNothing) {
  put("file", noise(60 * kib));
  put("copy", noise(60 * kib));
  EXPECT_EQ(store.calls(Operation::put), 1);
  EXPECT_EQ(read("copy"), noise(60 * kib));
  vfs->remove_file("file");
  EXPECT_EQ(read_elsewhere("copy"), noise(60 * kib));
}

TEST_F(WritingTest, ALargeDuplicateSharesItsObject) {
  put("file", noise(200 * kib));
  put("copy", noise(200 * kib));
  EXPECT_EQ(live_objects(), 1);
  EXPECT_EQ(read_elsewhere("copy"), noise(200 * kib));
}

TEST_F(WritingTest, WhatIsReplacedIsInTheHistory) {
  put("file", noise(60 * kib));
  put("file", noise(60 * kib, 2));
  EXPECT_EQ(text("SELECT count(*) FROM versions WHERE replaced_at IS NOT NULL AND size > 0"), "1");
  EXPECT_EQ(live_objects(), 2);
}

TEST_F(WritingTest, TheContentsTypeIsKept) {
  put("file", "Just a few words, and nothing else.\n");
  EXPECT_EQ(text("SELECT mime FROM versions WHERE replaced_at IS NULL"), "text/plain");
  put("file", std::string("\xFF\xD8\xFF\xE0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0", 20) + noise(100 * kib));
  EXPECT_EQ(text("SELECT mime FROM versions WHERE replaced_at IS NULL"), "image/jpeg");
}

TEST_F(WritingTest, AFewBytesWrittenOverTheFirstOnesDoNotChangeTheContentsType) {
  const auto type = [&] { return text("SELECT mime FROM versions WHERE replaced_at IS NULL"); };
  put("file", std::string("\xFF\xD8\xFF\xE0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0", 20) + noise(100 * kib));
  for (const OpenFlags flags : {OpenFlags{.read = true, .write = true}, OpenFlags{.write = true}}) {
    const auto handle = open("file", flags);
    write(*handle, 0, "words");
    handle->close().get();
    EXPECT_EQ(type(), "image/jpeg");
  }
  const auto handle = open("file", {.write = true, .truncate = true});
  write(*handle, 6, "with a gap before them");
  handle->close().get();
  EXPECT_NE(type(), "image/jpeg") << "all of it is new";
}

TEST_F(WritingTest, AFullQuotaRefusesTheCommitAndKeepsTheOldContent) {
  put("file", noise(60 * kib));
  scratch.database().transact([&](metadata::Transaction& tx) {
    metadata::Accounts(tx).set_quota(identity.account, 100 * kib);
  });
  EXPECT_EQ(code_of([&] { put("file", noise(101 * kib, 2)); }), ErrorCode::quota_exceeded);
  EXPECT_EQ(read("file"), noise(60 * kib));
  EXPECT_EQ(vfs->space("/").free_bytes, 40 * kib);
  put("file", noise(100 * kib, 3));
  EXPECT_EQ(vfs->space("/").free_bytes, 0U);
  EXPECT_EQ(code_of([&] { put("other", noise(2 * kib)); }), ErrorCode::quota_exceeded);
  vfs->remove_file("file");
  put("other", noise(2 * kib));
}

// --- Sync
// ------------------------------------------------------------------------------------------

TEST_F(WritingTest, SyncIsDurableAndTheHandleGoesOn) {
  const auto handle = create("file");
  write(*handle, 0, noise(100 * kib));
  handle->sync().get();
  EXPECT_EQ(read_elsewhere("file"), noise(100 * kib));
  write(*handle, 100 * kib, noise(30 * kib, 2));
  EXPECT_EQ(read_elsewhere("file"), noise(100 * kib)) << "not yet";
  handle->sync().get();
  write(*handle, 5, "edit");
  handle->close().get();
  std::string expected = noise(100 * kib) + noise(30 * kib, 2);
  expected.replace(5, 4, "edit");
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(WritingTest, SyncOfNothingIsReadyAtOnce) {
  put("file", "content");
  const auto handle = open_writing("file");
  EXPECT_TRUE(handle->sync().ready());
  handle->close().get();
  EXPECT_EQ(text("SELECT count(*) FROM versions"), "1");
}

TEST_F(WritingTest, RequestsInOneBreathTakeEffectInOrder) {
  const std::string content = noise(600 * kib);
  std::vector<storage::Future<void>> answers;
  store.add({.operation = Operation::create_upload,
             .fault = Fault::delay,
             .times = 3,
             .delay = std::chrono::milliseconds{20}});
  const auto handle = create("file");
  for (std::size_t at = 0; at < content.size(); at += 32 * kib) {
    answers.push_back(start_write(*handle, at, content.substr(at, 32 * kib)));
  }
  answers.push_back(handle->set_attributes({.size = 500 * kib, .atime = 1000, .mtime = 2000}));
  answers.push_back(handle->close());
  answers.push_back(vfs->set_attributes("file", {.permissions = 0100600}, Vfs::Links::follow));
  EXPECT_EQ(stat("file").size, 500 * kib);
  EXPECT_EQ(stat("file").mtime, 2000);
  EXPECT_EQ(stat("file").permissions, 0600U);
  for (auto& answer : answers) answer.get();
  EXPECT_EQ(stat("file").mtime, 2000);
  EXPECT_EQ(read("file"), content.substr(0, 500 * kib));
}

}  // namespace
}  // namespace sftpd::vfs
