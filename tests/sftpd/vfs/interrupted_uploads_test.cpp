// Uploads of a process that was killed: what was received becomes the file, or goes.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>

#include "storage/local/local_object_store.h"
#include "tests/sftpd/vfs/vfs_fixture.h"
#include "tests/support/metadata/temporary_directory.h"

namespace sftpd::vfs {
namespace {

class InterruptedUploadTest : public VfsTest {
 protected:
  InterruptedUploadTest() : local({.directory = directory.path()}), failing(local) {
    options.inline_max = 0;
    start();
  }
  ~InterruptedUploadTest() override {
    tree = nullptr;
    process = nullptr;
  }

  /// A process on the same database and the local store.
  void start() {
    tree = nullptr;
    process = nullptr;
    process = std::make_unique<FileSystem>(scratch.database(), failing, options);
    tree = std::make_unique<Vfs>(*process, identity);
  }

  /// Another process writes these ranges of uploaded() to the file and is killed then. While it
  /// waits at a ".", `meanwhile` is done.
  void upload_and_die(const std::string& flags, const std::string& path,
                      const std::vector<std::string>& ranges,
                      const std::function<void()>& meanwhile = {}) {
    std::vector<std::string> arguments = {WRITER_PROGRAM,
                                          scratch.url(),
                                          directory.path(),
                                          std::to_string(identity.account.value),
                                          std::to_string(identity.user.value),
                                          flags,
                                          path};
    arguments.insert(arguments.end(), ranges.begin(), ranges.end());
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    int input[2];
    int output[2];
    ASSERT_EQ(::pipe(input), 0);
    ASSERT_EQ(::pipe(output), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(input[0], STDIN_FILENO);
      ::dup2(output[1], STDOUT_FILENO);
      ::execv(WRITER_PROGRAM, pointers.data());
      ::_exit(127);
    }
    ::close(input[0]);
    ::close(output[1]);
    for (auto waits = std::ranges::count(ranges, "."); waits > 0; --waits) {
      expect_written(output[0]);
      meanwhile();
      EXPECT_EQ(::write(input[1], ".", 1), 1);
    }
    expect_written(output[0]);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(input[1]);
    ::close(output[0]);
    end_leases();
  }
  static void expect_written(int output) {
    std::string said(8, '\0');
    EXPECT_EQ(::read(output, said.data(), said.size()), 8);
    EXPECT_EQ(said, "written\n");
  }
  void end_leases() {
    scratch.execute(
        "UPDATE objects SET lease_until = now() - interval '1 second'"
        " WHERE state = 'staging'");
  }

  static std::string uploaded() { return noise(8'000'000, 7); }

  void put_here(const std::string& path, const std::string& content) {
    const auto handle =
        tree->open_file(path, {.write = true, .create = true, .truncate = true}, {});
    write_all(*handle, content);
    handle->close().get();
  }
  std::string content_of(const std::string& path) {
    start();
    return read(*tree->open_file(path, {.read = true}, {}));
  }

  tests::TemporaryDirectory directory;
  storage::local::LocalObjectStore local;
  test_support::FailingObjectStore failing;
  std::unique_ptr<FileSystem> process;
  std::unique_ptr<Vfs> tree;
};

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

/// What another server does to the file while it is uploaded, with one object made before and one
/// after it.
class UploadAmongServersTest : public InterruptedUploadTest {
 protected:
  static std::vector<std::string> pieces() { return {"0:350000", "?", ".", "350000:350000"}; }
  static std::string received() { return uploaded().substr(0, 350'000 + 5 * 64 * kib); }

  void make_empty(const std::string& path) {
    tree->open_file(path, {.write = true, .create = true}, {})->close().get();
  }
  void finish() {
    EXPECT_EQ(process->finish_interrupted_uploads().failed, 0);
    EXPECT_EQ(text("SELECT count(*) FROM uploads"), "0");
    EXPECT_EQ(text("SELECT count(*) FROM objects WHERE state = 'staging' AND upload <> ''"), "0");
  }
};

TEST_F(UploadAmongServersTest, ARenamedFileGetsItsBytes) {
  upload_and_die("", "file", pieces(), [&] { tree->rename("file", "renamed"); });
  finish();
  EXPECT_TRUE(content_of("renamed") == received());
  EXPECT_TRUE(node("renamed").incomplete);
  EXPECT_FALSE(exists("file"));
}

TEST_F(UploadAmongServersTest, AFileThatReplacesAnotherGetsItsBytes) {
  put_here("target", noise(200 * kib));
  upload_and_die("", "file", pieces(), [&] { tree->rename_over("file", "target").get(); });
  EXPECT_EQ(content_of("target"), "");
  finish();
  EXPECT_TRUE(content_of("target") == received());
  EXPECT_TRUE(node("target").incomplete);
  EXPECT_FALSE(exists("file"));
}

TEST_F(UploadAmongServersTest, AFileWithContentThatReplacesAnotherGetsItsBytes) {
  put_here("target", noise(200 * kib));
  put_here("file", uploaded().substr(0, 100'000));
  upload_and_die("a", "file", {"100000:250000", "?200000", ".", "350000:350000"},
                 [&] { tree->rename_over("file", "target").get(); });
  EXPECT_TRUE(content_of("target") == uploaded().substr(0, 100'000));
  finish();
  EXPECT_TRUE(content_of("target") == received());
}

TEST_F(UploadAmongServersTest, AFileThatMovesOnGetsItsBytes) {
  put_here("target", noise(200 * kib));
  put_here("last", noise(100 * kib));
  upload_and_die("", "file", {"0:350000", "?", ".", "350000:350000"}, [&] {
    tree->rename_over("file", "target").get();
    tree->rename("target", "between");
    tree->rename_over("between", "last").get();
  });
  finish();
  EXPECT_TRUE(content_of("last") == received());
}

/// Of two uploads of one file the younger one is kept, whatever its node was meanwhile.
TEST_F(UploadAmongServersTest, TheYoungerUploadOfAFileThatMovedIsKept) {
  put_here("target", noise(200 * kib));
  upload_and_die("", "file", {"!0:350000", "?"});
  tree->rename_over("file", "target").get();
  upload_and_die("", "target", {"0:350000", "?"});
  finish();
  EXPECT_TRUE(content_of("target") == uploaded().substr(0, 350'000));
}

TEST_F(UploadAmongServersTest, ARemovedFileStaysRemoved) {
  upload_and_die("", "file", pieces(), [&] { tree->remove_file("file"); });
  finish();
  EXPECT_FALSE(exists("file"));
  EXPECT_EQ(live_objects(), 0);
}

TEST_F(UploadAmongServersTest, ANewFileUnderARemovedNameIsAnother) {
  upload_and_die("", "file", pieces(), [&] {
    tree->remove_file("file");
    make_empty("file");
  });
  finish();
  EXPECT_EQ(content_of("file"), "");
}

TEST_F(UploadAmongServersTest, WhatReplacedTheFileStays) {
  put_here("other", noise(200 * kib));
  upload_and_die("", "file", pieces(), [&] { tree->rename_over("other", "file").get(); });
  finish();
  EXPECT_TRUE(content_of("file") == noise(200 * kib));
  EXPECT_FALSE(node("file").incomplete);
  EXPECT_EQ(live_objects(), 1);
}

/// Neither of them has a content that would tell them apart.
TEST_F(UploadAmongServersTest, AnEmptyFileThatReplacedTheFileStaysEmpty) {
  make_empty("empty");
  upload_and_die("", "file", pieces(), [&] { tree->rename_over("empty", "file").get(); });
  finish();
  EXPECT_EQ(content_of("file"), "");
  EXPECT_EQ(live_objects(), 0);
}

TEST_F(UploadAmongServersTest, AnEmptyFileThatReplacedTheRenamedFileStaysEmpty) {
  put_here("target", noise(200 * kib));
  make_empty("empty");
  upload_and_die("", "file", pieces(), [&] {
    tree->rename_over("file", "target").get();
    tree->rename_over("empty", "target").get();
  });
  finish();
  EXPECT_EQ(content_of("target"), "");
}

TEST_F(UploadAmongServersTest, ContentThatWasClosedMeanwhileStays) {
  upload_and_die("", "file", pieces(), [&] { put_here("file", noise(200 * kib)); });
  finish();
  EXPECT_TRUE(content_of("file") == noise(200 * kib));
  EXPECT_FALSE(node("file").incomplete);
}

TEST_F(UploadAmongServersTest, AFileThatWasEmptiedMeanwhileStaysEmpty) {
  upload_and_die("", "file", pieces(), [&] { put_here("file", ""); });
  finish();
  EXPECT_EQ(content_of("file"), "");
}

/// A commit that is under way when the job looks at the file comes before it or behind it.
TEST_F(UploadAmongServersTest, ContentThatIsClosedRightNowStays) {
  upload_and_die("", "file", {"0:350000"});
  const auto newer = tree->open_file("file", {.write = true}, {});
  write_all(*newer, noise(50 * kib));
  text(R"(
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      WHILE NOT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
                        WHERE NOT granted AND datname = current_database()) LOOP
        PERFORM pg_sleep(0.01);
      END LOOP;
      RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON versions
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
      WHEN (NEW.size = 51200) EXECUTE FUNCTION wait())");
  auto closed = newer->close();
  while (text("SELECT count(*) FROM pg_stat_activity"
              " WHERE wait_event = 'PgSleep' AND datname = current_database()") == "0") {
  }
  process->finish_interrupted_uploads();
  closed.get();
  text("DROP FUNCTION wait() CASCADE");
  EXPECT_TRUE(read(*tree->open_file("file", {.read = true}, {})) == noise(50 * kib));
  EXPECT_FALSE(node("file").incomplete);
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
