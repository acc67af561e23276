#include "metadata/embedded/postgres_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <thread>

#include "metadata/database.h"
#include "metadata/embedded/cluster_files.h"
#include "metadata/migrations/migrator.h"
#include "metadata/transaction_pqxx.h"
#include "tests/support/metadata/temporary_directory.h"

namespace metadata {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using tests::TemporaryDirectory;

EmbeddedPostgres::Options in(const std::string& directory) {
  EmbeddedPostgres::Options options;
  options.directory = directory;
  options.durable = false;
  return options;
}

std::string ask(const std::string& url, const std::string& sql) {
  Database::Options options;
  options.url = url;
  return Database(options).query([&](Transaction& tx) {
    const auto rows = tx.inner().script(sql);
    return rows.empty() ? std::string() : std::string(rows[0][0].c_str());
  });
}

std::string start_error(EmbeddedPostgres::Options options) {
  try {
    EmbeddedPostgres(std::move(options)).start();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// The value of a line of /proc/<pid>/status.
std::string status_of(int pid, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key + ":\t")) return line.substr(key.size() + 2);
  }
  return "";
}

/// A process of its own that runs a server, to be killed.
class Holder {
 public:
  explicit Holder(const std::string& directory) {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("pipe");
    child_ = fork();
    if (child_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      execl(HOLDER_PROGRAM, HOLDER_PROGRAM, directory.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    char line[32] = {};
    if (read(ends[0], line, sizeof line - 1) <= 0) ADD_FAILURE() << "the holder did not start";
    server_ = std::atoi(line);
    close(ends[0]);
  }
  ~Holder() { kill_now(); }
  void kill_now() {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    child_ = 0;
  }
  int server() const { return server_; }

 private:
  pid_t child_ = 0;
  int server_ = 0;
};

TEST(EmbeddedPostgres, StartsStopsAndKeepsItsData) {
  TemporaryDirectory directory;
  EmbeddedPostgres postgres(in(directory.path()));
  postgres.start();
  migrate(postgres.url());
  ask(postgres.url(), "INSERT INTO accounts DEFAULT VALUES");
  EXPECT_TRUE(postgres.is_running());
  postgres.stop();
  EXPECT_FALSE(postgres.is_running());
  EXPECT_TRUE(processes_in(directory.path() + "/data").empty());
  postgres.stop();
  postgres.start();
  EXPECT_EQ(ask(postgres.url(), "SELECT count(*) FROM accounts"), "1");
  EXPECT_EQ(ask(postgres.url(), "SHOW server_encoding"), "UTF8");
  EXPECT_EQ(
      ask(postgres.url(), "SELECT datcollate FROM pg_database WHERE datname = current_database()"),
      "C");
}

TEST(EmbeddedPostgres, OnlyThisUserAndRootReachIt) {
  TemporaryDirectory directory;
  EmbeddedPostgres postgres(in(directory.path()));
  postgres.start();
  EXPECT_EQ(ask(postgres.url(), "SHOW listen_addresses"), "");
  EXPECT_THAT(status_of(postgres.pid(), "Uid"), Not(HasSubstr("\t0\t")));
  EXPECT_FALSE(status_of(postgres.pid(), "Uid").starts_with("0"));
  for (const auto* folder : {"/socket", "/data"}) {
    struct stat status {};
    ASSERT_EQ(stat((directory.path() + folder).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U) << folder;
  }
  EXPECT_EQ(ask(postgres.url(),
                "SELECT string_agg(type || ' ' || auth_method, ',')"
                " FROM pg_hba_file_rules"),
            "local peer");
}

TEST(EmbeddedPostgres, ATerminalsCtrlCDoesNotReachIt) {
  TemporaryDirectory directory;
  EmbeddedPostgres postgres(in(directory.path()));
  postgres.start();
  EXPECT_EQ(getsid(postgres.pid()), postgres.pid());
  EXPECT_NE(getpgid(postgres.pid()), getpgrp());
}

TEST(EmbeddedPostgres, AKilledServerIsStartedAgainWithItsData) {
  TemporaryDirectory directory;
  EmbeddedPostgres postgres(in(directory.path()));
  postgres.start();
  ask(postgres.url(), "CREATE TABLE t AS SELECT 42 AS answer");
  const int first = postgres.pid();
  kill(first, SIGKILL);
  while (postgres.pid() == first || postgres.pid() == 0) std::this_thread::yield();
  EXPECT_EQ(ask(postgres.url(), "SELECT answer FROM t"), "42");
}

TEST(EmbeddedPostgres, CallsWaitWhileTheServerIsAway) {
  TemporaryDirectory directory;
  EmbeddedPostgres postgres(in(directory.path()));
  postgres.start();
  Database::Options options;
  options.url = postgres.url();
  options.outage_max = std::chrono::minutes(5);
  Database database(options);
  const auto one = [](Transaction& tx) { return tx.inner().script("SELECT 1")[0][0].as<int>(); };
  EXPECT_EQ(database.transact(one), 1);
  postgres.stop();
  std::thread caller([&] { EXPECT_EQ(database.transact(one), 1); });
  postgres.start();
  caller.join();
}

TEST(EmbeddedPostgres, ItEndsWithAKilledProcessAndTheNextOneStarts) {
  TemporaryDirectory directory;
  Holder holder(directory.path());
  ASSERT_GT(holder.server(), 0);
  holder.kill_now();
  EmbeddedPostgres postgres(in(directory.path()));
  postgres.start();
  EXPECT_NE(postgres.pid(), holder.server());
  EXPECT_EQ(ask(postgres.url(), "SELECT 1"), "1");
}

TEST(EmbeddedPostgres, AServerLeftBehindThatDoesNotReactIsStoppedFirst) {
  TemporaryDirectory directory;
  Holder holder(directory.path());
  ASSERT_GT(holder.server(), 0);
  kill(holder.server(), SIGSTOP);
  holder.kill_now();
  EmbeddedPostgres postgres(in(directory.path()));
  postgres.start();
  EXPECT_EQ(ask(postgres.url(), "SELECT 1"), "1");
}

TEST(EmbeddedPostgres, AServerOfALivingProcessIsSharedAndLeftAlone) {
  TemporaryDirectory directory;
  Holder holder(directory.path());
  {
    EmbeddedPostgres guest(in(directory.path()));
    guest.start();
    EXPECT_EQ(ask(guest.url(), "SELECT 1"), "1");
    EXPECT_EQ(guest.pid(), 0);
    guest.stop();
  }
  EXPECT_EQ(kill(holder.server(), 0), 0);
}

TEST(EmbeddedPostgres, WhoSharedAServerGoesOnWhenItsOwnerHasGone) {
  TemporaryDirectory directory;
  Holder holder(directory.path());
  EmbeddedPostgres guest(in(directory.path()));
  guest.start();
  Database database({.url = guest.url()});
  const auto answer = [&] {
    constexpr Statement one{"test_one", "SELECT 1"};
    return database.query([&](Transaction& tx) { return tx.inner().run(one)[0][0].as<int>(); });
  };
  EXPECT_EQ(answer(), 1);
  holder.kill_now();
  const auto old_is_there = [&] {
    const auto pids = processes_in(directory.path() + "/data");
    return std::find(pids.begin(), pids.end(), holder.server()) != pids.end();
  };
  while (old_is_there()) std::this_thread::yield();  // It may answer for a moment still.
  EXPECT_EQ(answer(), 1) << "it waited for the new one";
  EXPECT_NE(guest.pid(), 0);
  EXPECT_NE(guest.pid(), holder.server());
}

TEST(EmbeddedPostgres, TwoThatBeginAtOnceShareOne) {
  TemporaryDirectory directory;
  EmbeddedPostgres one(in(directory.path()));
  EmbeddedPostgres other(in(directory.path()));
  {
    const std::jthread beside([&] { other.start(); });
    one.start();
  }
  EXPECT_EQ(ask(one.url(), "SELECT 1"), "1");
  EXPECT_EQ(ask(other.url(), "SELECT 1"), "1");
  EXPECT_TRUE((one.pid() == 0) != (other.pid() == 0));
}

TEST(EmbeddedPostgres, APidFileThatNamesAStrangerIsNoObstacle) {
  TemporaryDirectory directory;
  EmbeddedPostgres postgres(in(directory.path()));
  postgres.start();
  postgres.stop();
  std::ofstream(directory.path() + "/data/postmaster.pid") << getppid() << "\n/elsewhere\n";
  postgres.start();
  EXPECT_EQ(ask(postgres.url(), "SELECT 1"), "1");
}

TEST(EmbeddedPostgres, AnInterruptedInitdbIsBegunAgain) {
  TemporaryDirectory directory;
  fs::create_directories(directory.path() + "/data.new/base");
  std::ofstream(directory.path() + "/data.new/PG_VERSION") << "15\n";
  EmbeddedPostgres postgres(in(directory.path()));
  postgres.start();
  EXPECT_FALSE(fs::exists(directory.path() + "/data.new"));
}

TEST(EmbeddedPostgres, AStartCanBeGivenUpAtAnyMoment) {
  for (const int ms : {0, 50, 300, 800, 1500}) {
    TemporaryDirectory directory;
    std::stop_source give_up;
    auto options = in(directory.path());
    options.give_up = give_up.get_token();
    const std::jthread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(ms));
      give_up.request_stop();
    });
    start_error(options);
    EXPECT_TRUE(processes_in(directory.path() + "/data.new").empty()) << ms;
    EXPECT_TRUE(processes_in(directory.path() + "/data").empty()) << ms;
    EmbeddedPostgres postgres(in(directory.path()));
    postgres.start();
    EXPECT_EQ(ask(postgres.url(), "SELECT 1"), "1") << ms;
  }
}

TEST(EmbeddedPostgres, APathTooLongForASocketGetsAnotherFolder) {
  TemporaryDirectory directory;
  const std::string deep = directory.path() + "/" + std::string(100, 'd') + " and 'quotes'";
  std::string socket;
  {
    EmbeddedPostgres postgres(in(deep));
    postgres.start();
    EXPECT_EQ(ask(postgres.url(), "SELECT 1"), "1");
    socket = ask(postgres.url(), "SHOW unix_socket_directories");
    EXPECT_TRUE(fs::exists(socket));
  }
  EXPECT_FALSE(fs::exists(socket));
  EXPECT_FALSE(fs::exists(deep + "/socket_directory"));
}

TEST(EmbeddedPostgres, BelowALongPathAKilledServerComesBackWhereItWas) {
  TemporaryDirectory directory;
  EmbeddedPostgres postgres(in(directory.path() + "/" + std::string(100, 'd')));
  postgres.start();
  Database database({.url = postgres.url()});
  const auto one = [](Transaction& tx) { return tx.inner().script("SELECT 1")[0][0].as<int>(); };
  EXPECT_EQ(database.query(one), 1);
  const std::string url = postgres.url();
  const int first = postgres.pid();
  kill(first, SIGKILL);
  while (postgres.pid() == first || postgres.pid() == 0) std::this_thread::yield();
  EXPECT_EQ(database.query(one), 1) << "with the connection string of before";
  EXPECT_EQ(postgres.url(), url);
  postgres.stop();
  postgres.start();
  EXPECT_EQ(database.query(one), 1);
}

TEST(EmbeddedPostgres, BelowALongPathWhoSharedAServerFindsTheNextOneWhereItWas) {
  TemporaryDirectory directory;
  const std::string deep = directory.path() + "/" + std::string(100, 'd');
  EmbeddedPostgres owner(in(deep));
  owner.start();
  EmbeddedPostgres guest(in(deep));
  guest.start();
  Database database({.url = guest.url()});
  const auto one = [](Transaction& tx) { return tx.inner().script("SELECT 1")[0][0].as<int>(); };
  EXPECT_EQ(database.query(one), 1);
  owner.stop();
  EXPECT_EQ(database.query(one), 1) << "of the guest's own server";
  EXPECT_NE(guest.pid(), 0);
}

TEST(EmbeddedPostgres, ASocketFolderThatAKilledProcessLeftIsRemoved) {
  TemporaryDirectory directory;
  const std::string deep = directory.path() + "/" + std::string(100, 'd');
  fs::create_directory(deep);
  fs::permissions(deep, fs::perms{0755});
  std::string left_behind;
  {
    Holder holder(deep);
    std::ifstream(deep + "/socket_directory") >> left_behind;
    ASSERT_TRUE(fs::exists(left_behind));
  }
  EmbeddedPostgres postgres(in(deep));
  postgres.start();
  EXPECT_FALSE(fs::exists(left_behind));
}

TEST(EmbeddedPostgres, OwnSettingsWin) {
  TemporaryDirectory directory;
  std::ofstream(directory.path() + "/local.conf") << "work_mem = '7MB'\n";
  fs::permissions(directory.path() + "/local.conf", fs::perms{0644});
  EmbeddedPostgres postgres(in(directory.path()));
  postgres.start();
  EXPECT_EQ(ask(postgres.url(), "SHOW work_mem"), "7MB");
  EXPECT_EQ(ask(postgres.url(), "SHOW max_connections"), "40");
}

TEST(EmbeddedPostgres, ItRunsBelowAFolderThatItsUserCannotEnter) {
  TemporaryDirectory directory;
  const std::string closed = directory.path() + "/closed";
  fs::create_directory(closed);
  fs::permissions(closed, fs::perms::owner_all);
  {
    Holder holder(closed + "/postgres");
    EmbeddedPostgres guest(in(closed + "/postgres"));
    guest.start();
    EXPECT_EQ(ask(guest.url(), "SELECT 1"), "1") << "from another process, too";
  }
  EmbeddedPostgres postgres(in(closed + "/postgres"));
  postgres.start();
  EXPECT_EQ(ask(postgres.url(), "SELECT 1"), "1");
}

TEST(EmbeddedPostgres, MissingProgramsAreNamed) {
  TemporaryDirectory directory;
  auto options = in(directory.path());
  options.binaries = "/nonexistent";
  EXPECT_THAT(start_error(options), HasSubstr("apt-get install postgresql"));
}

TEST(EmbeddedPostgres, AClusterOfAnotherVersionIsNotTouched) {
  TemporaryDirectory directory;
  fs::create_directory(directory.path() + "/data");
  std::ofstream(directory.path() + "/data/PG_VERSION") << "9.6\n";
  EXPECT_THAT(start_error(in(directory.path())), HasSubstr("apt-get install postgresql-9"));
}

TEST(EmbeddedPostgres, AParentThatIsMissingIsAnError) {
  EXPECT_THAT(start_error(in("/nonexistent/a/b")), HasSubstr("/nonexistent/a/b"));
}

TEST(EmbeddedPostgres, AStartThatFailsShowsTheLog) {
  TemporaryDirectory directory;
  std::ofstream(directory.path() + "/local.conf") << "no_such_setting = 1\n";
  fs::permissions(directory.path() + "/local.conf", fs::perms{0644});
  EXPECT_THAT(start_error(in(directory.path())), HasSubstr("no_such_setting"));
}

}  // namespace
}  // namespace metadata
