// Connections that break during COMMIT: what happened is looked up, or done once more.

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
  /// not exist, and its connection is ended.
  template <class Work>
  void committed_without_an_answer(Work work) {
    text("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    text("SELECT pg_reload_conf()");
    wait_until_commits_wait();
    auto running = std::async(std::launch::async, work);
    const auto waiting = waiting_commit();
    end_waiting();
    text("SELECT pg_terminate_backend(" + waiting + ")");
    running.get();
  }

  /// Runs `work`, whose first COMMIT fails in the middle.
  template <class Work>
  void not_committed(Work work) {
    text(R"(
      CREATE SEQUENCE commits;
      CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('commits') = 1 THEN
          PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60);
        END IF;
        RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE OR DELETE ON nodes
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die())");
    std::optional<ErrorCode> failure = code_of(work);
    text("DROP FUNCTION die() CASCADE; DROP SEQUENCE commits");
    EXPECT_EQ(failure, std::nullopt);
  }

 private:
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
