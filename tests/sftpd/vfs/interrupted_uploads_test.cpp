// Uploads of a process that was killed: what was received becomes the file, or goes.

#include "tests/sftpd/vfs/interrupted_uploads_fixture.h"

namespace sftpd::vfs {
namespace {

TEST_F(InterruptedUploadTest, TheReceivedPrefixBecomesTheFile) {
  upload_and_die("", "file", {"0:350000"});
  EXPECT_EQ(content_of("file"), "");
  EXPECT_EQ(process->finish_interrupted_uploads().done, 1);
  EXPECT_EQ(content_of("file"), uploaded().substr(0, 5 * 64 * kib)) << "all full parts";
  EXPECT_TRUE(node("file").incomplete);
  EXPECT_EQ(process->finish_interrupted_uploads().done, 0);
}

TEST_F(InterruptedUploadTest, ItIsResumed) {
  upload_and_die("", "file", {"0:350000"});
  process->finish_interrupted_uploads();
  auto handle = tree->open_file("file", {.write = true}, {});
  const auto size = handle->attributes().size;
  write_all(*handle, uploaded().substr(size, 1'000'000), size);
  handle->close().get();
  handle = nullptr;
  EXPECT_EQ(content_of("file"), uploaded().substr(0, size + 1'000'000));
  EXPECT_FALSE(node("file").incomplete);
}

TEST_F(InterruptedUploadTest, WhatItReplacedIsInTheHistory) {
  put_here("file", noise(200 * kib));
  upload_and_die("t", "file", {"0:350000"});
  process->finish_interrupted_uploads();
  EXPECT_EQ(content_of("file"), uploaded().substr(0, 5 * 64 * kib));
  EXPECT_EQ(text("SELECT count(*) FROM versions WHERE replaced_at IS NOT NULL"), "1");
}

TEST_F(InterruptedUploadTest, AnAppendGoesBehindWhatWasThere) {
  put_here("file", uploaded().substr(0, 100'000));
  upload_and_die("a", "file", {"100000:350000"});
  process->finish_interrupted_uploads();
  EXPECT_EQ(content_of("file"), uploaded().substr(0, 100'000 + 5 * 64 * kib));
}

TEST_F(InterruptedUploadTest, BytesFarAheadDoNotEndThePrefix) {
  // The second range is too far ahead for the window: it is an edit, and the stream goes on.
  upload_and_die("", "file", {"0:200000", "2000000:1000", "200000:300000"});
  process->finish_interrupted_uploads();
  const std::string content = content_of("file");
  ASSERT_GE(content.size(), 200'000U);
  EXPECT_EQ(content, uploaded().substr(0, content.size()));
}

TEST_F(InterruptedUploadTest, OldAndNewContentAreNeverMixed) {
  put_here("file", noise(200 * kib));
  // The first bytes never came: what did come says nothing about them.
  upload_and_die("t", "file", {"4096:4096", "8192:500000"});
  process->finish_interrupted_uploads();
  EXPECT_EQ(content_of("file"), noise(200 * kib));
}

TEST_F(InterruptedUploadTest, WhatIsNotTruncatedIsNotCutToThePrefix) {
  put_here("file", noise(1'000'000));
  upload_and_die("", "file", {"0:350000"});
  process->finish_interrupted_uploads();
  EXPECT_TRUE(content_of("file") == noise(1'000'000));
}

TEST_F(InterruptedUploadTest, ContentThatCameLaterStays) {
  upload_and_die("", "file", {"0:350000"});
  put_here("file", noise(200 * kib));
  EXPECT_EQ(process->finish_interrupted_uploads().done, 1);
  EXPECT_TRUE(content_of("file") == noise(200 * kib));
  EXPECT_FALSE(node("file").incomplete);
  EXPECT_EQ(text("SELECT count(*) FROM uploads"), "0");
}

TEST_F(InterruptedUploadTest, WhatAnotherServerStoredBeforeTheFirstFullPartCameLater) {
  put_here("file", noise(200 * kib));
  const auto began_from = text("SELECT version_id FROM nodes WHERE name = 'file'");
  const auto handle = tree->open_file("file", {.write = true, .truncate = true}, {});
  FileSystem elsewhere(scratch.database(), local, options);
  Vfs there(elsewhere, identity);
  const auto newer = there.open_file("file", {.write = true, .truncate = true}, {});
  write_all(*newer, noise(300 * kib, 2));
  newer->close().get();
  write_all(*handle, uploaded().substr(0, 350'000));
  std::string base;
  while (base.empty()) base = text("SELECT base_version FROM uploads");
  EXPECT_EQ(base, began_from) << "so the job would leave the newer content alone";
}

TEST_F(InterruptedUploadTest, AFileThatWasEmptiedAgainStaysEmpty) {
  upload_and_die("", "file", {"0:350000"});
  put_here("file", "");
  process->finish_interrupted_uploads();
  EXPECT_EQ(content_of("file"), "");
}

TEST_F(InterruptedUploadTest, AFileThatWasCutWhereItEndsStaysAsLong) {
  put_here("file", noise(200 * kib));
  upload_and_die("", "file", {"204800:350000"});
  AttributeChanges same;
  same.size = 200 * kib;
  tree->set_attributes("file", same, Vfs::Links::follow).get();
  process->finish_interrupted_uploads();
  EXPECT_EQ(content_of("file"), noise(200 * kib));
}

TEST_F(InterruptedUploadTest, AnAppendDoesNotGoBehindContentThatCameLater) {
  put_here("file", uploaded().substr(0, 100'000));
  upload_and_die("a", "file", {"100000:350000"});
  put_here("file", noise(100'000));
  process->finish_interrupted_uploads();
  EXPECT_TRUE(content_of("file") == noise(100'000));
}

/// Whoever resumes goes on where the file ends, so all before must be what was last written there.
TEST_F(InterruptedUploadTest, AnUploadThatWasWrittenOverIsNotKept) {
  put_here("file", noise(200 * kib));
  upload_and_die("t", "file", {"0:350000", "!1000:5", "350000:100000"});
  process->finish_interrupted_uploads();
  EXPECT_TRUE(content_of("file") == noise(200 * kib));
  EXPECT_EQ(text("SELECT count(*) FROM uploads"), "0");
}

TEST_F(InterruptedUploadTest, AnUploadInPiecesThatWasWrittenOverIsNotKept) {
  // Reading what was sent makes an object of it; what follows becomes the next one.
  upload_and_die("", "file", {"0:350000", "?", "350000:350000", "!1000:5"});
  process->finish_interrupted_uploads();
  EXPECT_TRUE(content_of("file") == "");
}

TEST_F(InterruptedUploadTest, AnAppendToContentThatWasWrittenOverIsNotKept) {
  put_here("file", uploaded().substr(0, 100'000));
  upload_and_die("", "file", {"100000:350000", "!500:5"});
  process->finish_interrupted_uploads();
  EXPECT_TRUE(content_of("file") == uploaded().substr(0, 100'000));
}

TEST_F(InterruptedUploadTest, AnUploadThatBeganAgainIsKeptFromItsSecondBeginning) {
  upload_and_die("", "file", {"!0:350000", "?", "!350000:200000", "=0", "0:350000"});
  process->finish_interrupted_uploads();
  EXPECT_TRUE(content_of("file") == uploaded().substr(0, 5 * 64 * kib));
}

/// Each of them would be the first of the other's second piece.
TEST_F(InterruptedUploadTest, TwoUploadsOfOneFileAreNotMixed) {
  const std::vector<std::string> pieces = {"!0:350000", "?", "!350000:350000"};
  upload_and_die("t", "file", pieces);
  upload_and_die("t", "file", {"0:350000", "?"});
  process->finish_interrupted_uploads();
  EXPECT_TRUE(content_of("file") == uploaded().substr(0, 350'000));
  EXPECT_EQ(text("SELECT count(*) FROM uploads"), "0");
}

/// What one open file wrote is published at once, or the rest would find another content.
TEST_F(InterruptedUploadTest, OneOfManyObjectsIsKeptAsAWhole) {
  std::vector<std::string> pieces;
  for (int i = 0; i < 70; ++i) {
    pieces.push_back(std::to_string(i * 100'000) + ":100000");
    pieces.push_back("?" + std::to_string(i * 100'000));
  }
  upload_and_die("", "file", pieces);
  EXPECT_EQ(text("SELECT count(*) FROM uploads"), "70");
  EXPECT_EQ(process->finish_interrupted_uploads().done, 70);
  EXPECT_TRUE(content_of("file") == uploaded().substr(0, 7'000'000));
}

TEST_F(InterruptedUploadTest, AnUploadGoesOnUnderTheNameThatItReplaced) {
  put_here("target", noise(200 * kib));
  upload_and_die("", "file", {"0:350000", ">target", "350000:350000"});
  process->finish_interrupted_uploads();
  EXPECT_TRUE(content_of("target") == uploaded().substr(0, 350'000 + 5 * 64 * kib));
  EXPECT_FALSE(exists("file"));
  EXPECT_EQ(text("SELECT count(*) FROM uploads"), "0");
}

TEST_F(InterruptedUploadTest, AnUploadThatIsRenamedAndReplacedLeavesWhatReplacedIt) {
  put_here("target", noise(200 * kib));
  put_here("other", noise(150 * kib));
  upload_and_die("", "file", {"0:350000", ">target", "350000:350000"});
  tree->rename_over("other", "target").get();
  process->finish_interrupted_uploads();
  EXPECT_TRUE(content_of("target") == noise(150 * kib));
  EXPECT_EQ(text("SELECT count(*) FROM uploads"), "0");
}

TEST_F(InterruptedUploadTest, AnUploadToAReplacedFileDoesNotBecomeItsSuccessor) {
  put_here("other", noise(200 * kib));
  upload_and_die("", "file", {"0:350000", "<other", "350000:350000"});
  process->finish_interrupted_uploads();
  EXPECT_TRUE(content_of("file") == noise(200 * kib));
}

/// Neither of them has a content that would tell them apart.
TEST_F(InterruptedUploadTest, AnUploadToAReplacedFileDoesNotBecomeANewOne) {
  tree->open_file("empty", {.write = true, .create = true}, {})->close().get();
  upload_and_die("", "file", {"0:350000", "<empty", "350000:350000"});
  process->finish_interrupted_uploads();
  EXPECT_EQ(content_of("file").size(), 0U);
  EXPECT_EQ(text("SELECT count(*) FROM uploads"), "0");
}

TEST_F(InterruptedUploadTest, OneAboveTheQuotaHoldsUpNobody) {
  upload_and_die("", "older", {"0:350000"});
  upload_and_die("", "younger", {"0:1000000"});
  text("UPDATE accounts SET quota_bytes = 400000");
  const auto finished = process->finish_interrupted_uploads();
  EXPECT_EQ(finished.done, 1);
  EXPECT_EQ(finished.failed, 1);
  EXPECT_TRUE(content_of("older") == uploaded().substr(0, 5 * 64 * kib));
  EXPECT_EQ(content_of("younger"), "");
  EXPECT_EQ(process->finish_interrupted_uploads().failed, 0) << "not at once again";
  text("UPDATE accounts SET quota_bytes = NULL");
  end_leases();
  EXPECT_EQ(process->finish_interrupted_uploads().done, 1);
  EXPECT_TRUE(content_of("younger") == uploaded().substr(0, 15 * 64 * kib));
}

TEST_F(InterruptedUploadTest, OneThatCannotBeFinishedIsGivenUpInTheEnd) {
  upload_and_die("", "file", {"0:350000"});
  text("UPDATE accounts SET quota_bytes = 1");
  int tries = 0;
  while (text("SELECT count(*) FROM uploads") == "1" && tries < 100) {
    end_leases();
    EXPECT_EQ(process->finish_interrupted_uploads().failed, 1);
    ++tries;
  }
  EXPECT_GT(tries, 20);
  EXPECT_LT(tries, 100);
  EXPECT_EQ(text("SELECT count(*) FROM objects WHERE state = 'staging' AND upload <> ''"), "0");
  EXPECT_EQ(text("SELECT dead_at = 'epoch' FROM objects WHERE state = 'dead'"), "t")
      << "for the collector";
  EXPECT_EQ(content_of("file"), "");
}

TEST_F(InterruptedUploadTest, WhatTheStoreRefusesHoldsUpNobody) {
  upload_and_die("", "older", {"0:350000"});
  upload_and_die("", "younger", {"0:350000"});
  failing.add({.operation = test_support::Operation::list_parts,
               .fault = test_support::Fault::refuse,
               .code = storage::ErrorCode::access_denied});
  const auto finished = process->finish_interrupted_uploads();
  EXPECT_EQ(finished.done, 1);
  EXPECT_EQ(finished.failed, 1);
  EXPECT_TRUE(content_of("older") == uploaded().substr(0, 5 * 64 * kib));
}

TEST_F(InterruptedUploadTest, WhileTheStoreIsAwayNothingIsGivenUp) {
  upload_and_die("", "file", {"0:350000"});
  failing.add({.operation = test_support::Operation::list_parts,
               .fault = test_support::Fault::refuse,
               .times = 50});
  for (int i = 0; i < 50; ++i) {
    end_leases();
    EXPECT_EQ(process->finish_interrupted_uploads().failed, 1);
  }
  end_leases();
  EXPECT_EQ(process->finish_interrupted_uploads().done, 1);
  EXPECT_TRUE(content_of("file") == uploaded().substr(0, 5 * 64 * kib));
}

TEST_F(InterruptedUploadTest, MayBeSetToDiscard) {
  put_here("file", noise(200 * kib));
  upload_and_die("t", "file", {"0:350000"});
  options.interrupted_uploads = FileSystem::InterruptedUploads::discard;
  start();
  EXPECT_EQ(process->finish_interrupted_uploads().done, 1);
  EXPECT_EQ(content_of("file"), noise(200 * kib));
  EXPECT_EQ(text("SELECT count(*) FROM uploads"), "0");
}

TEST_F(InterruptedUploadTest, ARemovedFileStaysRemoved) {
  upload_and_die("", "file", {"0:350000"});
  tree->remove_file("file");
  process->finish_interrupted_uploads();
  EXPECT_EQ(text("SELECT count(*) FROM uploads"), "0");
  EXPECT_EQ(text("SELECT count(*) FROM objects WHERE state = 'live'"), "0");
}

TEST_F(InterruptedUploadTest, ARenamedFileGetsItsBytes) {
  upload_and_die("", "file", {"0:350000"});
  tree->rename("file", "renamed");
  process->finish_interrupted_uploads();
  EXPECT_EQ(content_of("renamed"), uploaded().substr(0, 5 * 64 * kib));
}

TEST_F(InterruptedUploadTest, OnesOwnRunningUploadIsLeftAlone) {
  auto handle = tree->open_file("file", {.write = true, .create = true}, {});
  write_all(*handle, noise(300 * kib));
  handle->sync().get();
  write_all(*handle, noise(300 * kib, 2), 300 * kib);
  scratch.execute(
      "UPDATE objects SET lease_until = now() - interval '1 second'"
      " WHERE state = 'staging'");
  EXPECT_EQ(process->finish_interrupted_uploads().done, 0);
  handle->close().get();
  handle = nullptr;
  EXPECT_EQ(content_of("file"), noise(300 * kib) + noise(300 * kib, 2));
}

}  // namespace
}  // namespace sftpd::vfs
