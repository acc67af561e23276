// A crash of the database takes back what nobody waited for: the entry that OPEN made, and its id.

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

using namespace std::chrono_literals;

class DatabaseCrashTest : public VfsTest {
 protected:
  DatabaseCrashTest() {
    scratch.database().begin_serving();
    put("durable", "x");
    // From here on the log has to say which ids were given out.
    text("SELECT setval('nodes_id_seq', nextval('nodes_id_seq'))");
    // Nothing is written that nobody waits for, nor a page of the log that happens to be full.
    while (!stop_idle_log_writer()) std::this_thread::sleep_for(1ms);
    text("SELECT pg_switch_wal()");
  }
  ~DatabaseCrashTest() override {
    if (log_writer > 0) ::kill(log_writer, SIGCONT);
  }

  /// All processes of the server end when one is killed; what was not written is gone.
  void crash() {
    const pid_t killed = std::exchange(log_writer, 0);
    ASSERT_EQ(::kill(killed, SIGKILL), 0);
    const auto give_up = std::chrono::steady_clock::now() + 60s;
    for (pid_t now = killed; now == killed || now == 0;) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "the server did not come back";
      std::this_thread::sleep_for(1ms);
      try {
        now = find_log_writer();
      } catch (const std::exception&) {
        // It is still recovering.
      }
    }
  }

  bool known(const std::string& name) {
    return text("SELECT count(*) FROM nodes WHERE name = '" + name + "'") == "1";
  }

 private:
  /// Not while it writes: it would hold the lock that every commit wants.
  bool stop_idle_log_writer() {
    log_writer = find_log_writer();
    if (log_writer == 0 || ::kill(log_writer, SIGSTOP) != 0) return false;
    while (!is_stopped(log_writer)) std::this_thread::sleep_for(1ms);
    const auto waits_for =
        text("SELECT wait_event FROM pg_stat_activity WHERE pid = " + std::to_string(log_writer));
    if (waits_for == "WalWriterMain") return true;
    ::kill(log_writer, SIGCONT);
    return false;
  }

  static bool is_stopped(pid_t pid) {
    std::string line;
    std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), line);
    const auto name_end = line.rfind(')');
    return name_end == std::string::npos || line.substr(name_end + 2, 1) == "T";
  }

  pid_t find_log_writer() {
    const auto pid = text("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
    return pid.empty() ? 0 : std::stoi(pid);
  }

  pid_t log_writer = 0;
};

TEST_F(DatabaseCrashTest, WhoUploadsANewFileThatIsLostHearsSo) {
  const auto synced = create("synced");
  write(*synced, 0, noise(20 * kib));
  const auto closed = create("closed");
  write(*closed, 0, noise(20 * kib));
  const auto empty = create("empty");
  crash();
  ASSERT_FALSE(known("synced") || known("closed") || known("empty"))
      << "else nothing is tested here";
  EXPECT_EQ(code_of([&] { synced->sync().get(); }), ErrorCode::lost);
  EXPECT_EQ(code_of([&] { synced->close().get(); }), ErrorCode::lost) << "said again";
  EXPECT_EQ(code_of([&] { closed->close().get(); }), ErrorCode::lost);
  EXPECT_EQ(code_of([&] { empty->close().get(); }), ErrorCode::lost);
  put("closed", "again");
  EXPECT_EQ(read_elsewhere("closed"), "again");
}

TEST_F(DatabaseCrashTest, AnotherFileIsNotTakenForTheLostOne) {
  const auto lost = create("lost");
  const auto id = lost ? node("lost").id : metadata::NodeId{};
  write(*lost, 0, noise(20 * kib));
  crash();
  ASSERT_FALSE(known("lost")) << "else nothing is tested here";
  const auto other = create("other");
  EXPECT_NE(node("other").id, id);
  write(*other, 0, "other");
  other->close().get();
  EXPECT_EQ(code_of([&] { lost->close().get(); }), ErrorCode::lost);
  EXPECT_EQ(read_elsewhere("other"), "other");
}

TEST_F(DatabaseCrashTest, WhatWasClosedIsKeptEmptyOrNot) {
  put("file", noise(20 * kib));
  put("empty", "");
  const auto synced = create("synced");
  synced->sync().get();
  crash();
  EXPECT_EQ(read_elsewhere("file"), noise(20 * kib));
  EXPECT_TRUE(known("empty"));
  EXPECT_TRUE(known("synced"));
  write(*synced, 0, "content");
  synced->close().get();
  EXPECT_EQ(read_elsewhere("synced"), "content");
}

TEST_F(DatabaseCrashTest, AFileRemovedElsewhereIsNotCalledLost) {
  const auto handle = create("removed");
  write(*handle, 0, noise(20 * kib));
  FileSystem other(scratch.database(), store, options);
  Vfs(other, identity).remove_file("removed");
  handle->close().get();
}

}  // namespace
}  // namespace sftpd::vfs
