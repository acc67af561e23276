// Uploads of a process that was killed, after another server moved or replaced their files.

#include "tests/sftpd/vfs/interrupted_uploads_fixture.h"

namespace sftpd::vfs {
namespace {

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

}  // namespace
}  // namespace sftpd::vfs
