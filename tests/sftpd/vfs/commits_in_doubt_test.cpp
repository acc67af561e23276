// Connections that break during COMMIT: what happened is looked up, or done once more.

#include <functional>
#include <future>

#include "metadata/database.h"
#include "metadata/transaction_pqxx.h"
#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

class CommitInDoubtTest : public VfsTest {
 protected:
  ~CommitInDoubtTest() override { end_waiting(); }

  /// Runs `work`, whose first COMMIT happens and is not answered: it waits for a standby that does
  /// not exist, and its connection is ended. `meanwhile` begins while it waits, and has to end
  /// behind it.
  template <class Work>
  void committed_without_an_answer(Work work, const std::function<void()>& meanwhile = {}) {
    text("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    text("SELECT pg_reload_conf()");
    wait_until_commits_wait();
    auto running = std::async(std::launch::async, work);
    const auto waiting = waiting_commit();
    std::future<void> second;
    if (meanwhile) {
      second = std::async(std::launch::async, meanwhile);
      wait_until_somebody_waits_for_a_lock();
    }
    text("SELECT pg_terminate_backend(" + waiting + ", 60000)");
    end_waiting();
    running.get();
    if (meanwhile) second.get();
  }

  /// Runs `work`, whose first COMMIT fails in the middle.
  template <class Work>
  void not_committed(Work work) {
    first_commit_dies("true");
    std::optional<ErrorCode> failure = code_of(work);
    text("DROP FUNCTION die() CASCADE; DROP SEQUENCE commits");
    EXPECT_EQ(failure, std::nullopt);
  }

  /// Runs `work`, whose first COMMIT fails in the middle. Before it is repeated, `second`, which
  /// has waited for its locks, makes an entry of that name. What `work` failed with.
  template <class Work>
  std::optional<ErrorCode> not_committed_and_overtaken(Work work, const std::string& name,
                                                       const std::function<void()>& second) {
    first_commit_dies(somebody_waits);
    text(R"(
      CREATE SEQUENCE attempts;
      CREATE FUNCTION be_third() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('attempts') > 2 THEN
          WHILE NOT EXISTS (SELECT FROM nodes WHERE name = ')" +
         name + R"(') LOOP PERFORM pg_sleep(0.01); END LOOP;
        END IF;
        RETURN NULL; END $$;
      CREATE TRIGGER at_attempt BEFORE UPDATE ON nodes EXECUTE FUNCTION be_third())");
    auto running = std::async(std::launch::async, [&] { return code_of(work); });
    while (text("SELECT count(*) FROM pg_stat_activity"
                " WHERE wait_event = 'PgSleep' AND datname = current_database()") == "0") {
    }
    second();
    const auto failure = running.get();
    text("DROP FUNCTION die() CASCADE; DROP SEQUENCE commits");
    text("DROP FUNCTION be_third() CASCADE; DROP SEQUENCE attempts");
    return failure;
  }

 private:
  static constexpr const char* somebody_waits =
      "EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)"
      " WHERE NOT granted AND datname = current_database())";

  void first_commit_dies(const std::string& when) {
    text(R"(
      CREATE SEQUENCE commits;
      CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('commits') = 1 THEN
          WHILE NOT ()" +
         when + R"() LOOP PERFORM pg_sleep(0.01); END LOOP;
          PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60);
        END IF;
        RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE OR DELETE ON nodes
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die())");
  }
  void wait_until_somebody_waits_for_a_lock() {
    while (text(std::string("SELECT ") + somebody_waits) != "t") {
    }
  }
  std::string waiting_commit() {
    std::string pid;
    while (pid.empty()) {
      pid = text(
          "SELECT pid FROM pg_stat_activity"
          " WHERE wait_event = 'SyncRep' AND datname = current_database()");
    }
    return pid;
  }
  void wait_until_commits_wait() {
    metadata::Database::Options own;
    own.url = scratch.url();
    metadata::Database database(own);
    const auto commit = [&] {
      for (;;) {
        database.execute([&](metadata::Transaction& tx) {
          return tx.inner().script("COMMENT ON TABLE uploads IS 'something'").size();
        });
      }
    };
    auto committing = std::async(std::launch::async, [&] { EXPECT_ANY_THROW(commit()); });
    waiting_commit();
    text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE wait_event = 'SyncRep' AND datname = current_database()");
    committing.get();
  }
  void end_waiting() {
    text("ALTER SYSTEM RESET synchronous_standby_names");
    text("SELECT pg_reload_conf()");
  }
};

TEST_F(CommitInDoubtTest, AnOpenTargetIsNotCommittedOverWhatReplacedIt) {
  put("target", "old");
  put("source", "new");
  const auto target = open_writing("target");
  write(*target, 0, "written to the replaced file");
  committed_without_an_answer([&] { vfs->rename_over("source", "target").get(); });
  EXPECT_FALSE(exists("source"));
  target->close().get();
  EXPECT_EQ(read_elsewhere("target"), "new");
}

TEST_F(CommitInDoubtTest, ALinkThatWasReplacedIsReplacedOnce) {
  put("source", "new");
  vfs->make_link("nowhere", "link");
  committed_without_an_answer([&] { vfs->rename_over("source", "link").get(); });
  EXPECT_EQ(read_elsewhere("link"), "new");
  EXPECT_FALSE(exists("source"));
}

TEST_F(CommitInDoubtTest, WhatIsRemovedOrRenamedIsSo) {
  put("removed", "x");
  put("renamed", "y");
  committed_without_an_answer([&] { vfs->remove_file("removed"); });
  committed_without_an_answer([&] { vfs->rename("renamed", "new name"); });
  EXPECT_FALSE(exists("removed") || exists("renamed"));
  EXPECT_EQ(read_elsewhere("new name"), "y");
}

TEST_F(CommitInDoubtTest, WhatIsMadeIsThere) {
  committed_without_an_answer([&] { vfs->make_directory("folder", {}); });
  committed_without_an_answer([&] { vfs->make_link("target", "link"); });
  EXPECT_TRUE(exists("folder"));
  EXPECT_EQ(vfs->read_link("link"), "target");
  EXPECT_EQ(code_of([&] { vfs->make_directory("folder", {}); }), ErrorCode::already_exists);
}

TEST_F(CommitInDoubtTest, WhatWasNotMadeIsMadeOnce) {
  not_committed([&] { vfs->make_directory("folder", {}); });
  not_committed([&] { vfs->make_link("target", "link"); });
  EXPECT_TRUE(exists("folder"));
  EXPECT_EQ(vfs->read_link("link"), "target");
  EXPECT_EQ(text("SELECT count(*) FROM nodes WHERE name IN ('folder', 'link')"), "2");
}

TEST_F(CommitInDoubtTest, AttributesAreSet) {
  put("file", "x");
  vfs->make_directory("folder", {});
  committed_without_an_answer(
      [&] { vfs->set_attributes("file", {.permissions = 0600}, Vfs::Links::follow).get(); });
  not_committed(
      [&] { vfs->set_attributes("folder", {.permissions = 0700}, Vfs::Links::follow).get(); });
  committed_without_an_answer(
      [&] { vfs->open_directory("folder")->set_attributes({.mtime = 1'500'000'000}); });
  EXPECT_EQ(node("file").mode, 0600U);
  EXPECT_EQ(node("folder").mode, 0700U);
  EXPECT_EQ(stat("folder").mtime, 1'500'000'000U);
}

/// The version that is looked for has already gone to the history.
TEST_F(CommitInDoubtTest, WhatWasClosedAndThenReplacedByAnotherServerIsClosed) {
  put("file", "x");
  metadata::Database::Options own;
  own.url = scratch.url();
  metadata::Database database(own);
  FileSystem elsewhere(database, memory_store, options);
  Vfs there(elsewhere, identity);
  const auto handle = open_writing("file");
  const auto newer = there.open_file("file", {.write = true, .truncate = true}, {});
  write(*handle, 0, "the first one");
  write(*newer, 0, "the last one");
  committed_without_an_answer([&] { handle->close().get(); }, [&] { newer->close().get(); });
  EXPECT_EQ(read_elsewhere("file"), "the last one");
  EXPECT_EQ(read("file"), "the last one");
  EXPECT_EQ(text("SELECT count(*) FROM versions"), "3");
}

/// Entries are committed without waiting for the disk, and so for no standby: here they are waited
/// for.
class CreationInDoubtTest : public CommitInDoubtTest {
 protected:
  static constexpr OpenFlags new_file{.write = true, .create = true, .exclusive = true};

  CreationInDoubtTest() {
    text(R"(
      CREATE FUNCTION be_durable() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('synchronous_commit', 'on', true);
        RETURN NEW; END $$;
      CREATE TRIGGER at_insert BEFORE INSERT ON nodes
        FOR EACH ROW EXECUTE FUNCTION be_durable())");
  }
  ~CreationInDoubtTest() override { text("DROP FUNCTION be_durable() CASCADE"); }

  void fill(std::unique_ptr<FileHandle> handle) {
    write(*handle, 0, "content");
    handle->close().get();
    EXPECT_EQ(read_elsewhere("file"), "content");
    EXPECT_EQ(text("SELECT count(*) FROM nodes WHERE kind = 'file'"), "1");
  }
};

TEST_F(CreationInDoubtTest, WhoMadeTheFileGetsIt) {
  std::unique_ptr<FileHandle> handle;
  committed_without_an_answer([&] { handle = open("file", new_file); });
  fill(std::move(handle));
  EXPECT_EQ(code_of([&] { open("file", new_file); }), ErrorCode::already_exists);
}

TEST_F(CreationInDoubtTest, WhatWasNotMadeIsMadeOnce) {
  std::unique_ptr<FileHandle> handle;
  not_committed([&] { handle = open("file", new_file); });
  fill(std::move(handle));
}

TEST_F(CreationInDoubtTest, WhoComesSecondIsToldSo) {
  std::unique_ptr<FileHandle> handle;
  metadata::Database::Options own;
  own.url = scratch.url();
  metadata::Database database(own);
  FileSystem elsewhere(database, memory_store, options);
  Vfs there(elsewhere, identity);
  const auto failure =
      not_committed_and_overtaken([&] { open("file", new_file); }, "file",
                                  [&] { handle = there.open_file("file", new_file, {}); });
  EXPECT_EQ(failure, ErrorCode::already_exists);
  fill(std::move(handle));
}

TEST_F(CreationInDoubtTest, WhoMadeAFileThatMayNotBeWrittenMayWriteIt) {
  std::unique_ptr<FileHandle> handle;
  committed_without_an_answer(
      [&] { handle = open("file", {.write = true, .create = true}, {.permissions = 0444}); });
  fill(std::move(handle));
}

/// It may be somebody else's, made at the same time; but if it is ours, CLOSE has to make it
/// durable.
TEST_F(CreationInDoubtTest, AFileThatIsPerhapsOursIsDurableWhenItIsClosed) {
  std::unique_ptr<FileHandle> handle;
  committed_without_an_answer([&] { handle = open("file", {.write = true, .create = true}); });
  const auto before = node("file").ctime;
  handle->close().get();
  EXPECT_GT(node("file").ctime, before);
}

TEST_F(CommitInDoubtTest, WhatDidNotHappenIsDoneOnceMore) {
  for (const char* name : {"removed", "renamed", "source", "target"}) put(name, name);
  not_committed([&] { vfs->remove_file("removed"); });
  not_committed([&] { vfs->rename("renamed", "new name"); });
  not_committed([&] { vfs->rename_over("source", "target").get(); });
  EXPECT_FALSE(exists("removed") || exists("renamed") || exists("source"));
  EXPECT_EQ(read_elsewhere("new name"), "renamed");
  EXPECT_EQ(read_elsewhere("target"), "source");
}

}  // namespace
}  // namespace sftpd::vfs
