#include "metadata/names/server_presence.h"

#include <condition_variable>
#include <mutex>

#include "metadata/migrations/migrator.h"
#include "metadata/names/node_cache.h"
#include "metadata/names/server_locks.h"
#include "metadata/transaction_pqxx.h"
#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

using std::chrono::milliseconds;

/// Waits for what a server tells.
class Teller : public Observer {
 public:
  void serving_alone(bool alone) override {
    std::lock_guard lock(mutex_);
    alone_ = alone;
    if (!alone) ++steps_down_;
    changed_.notify_all();
  }
  bool becomes(bool alone) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return alone_ == alone; });
  }
  int steps_down() {
    std::lock_guard lock(mutex_);
    return steps_down_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool alone_ = false;
  int steps_down_ = 0;
};

class ServerPresenceTest : public MetadataTest {
 protected:
  /// What one process has.
  struct Server {
    explicit Server(const std::string& url, milliseconds trust = milliseconds(60'000))
        : presence({.url = url,
                    .server = id,
                    .heartbeat = milliseconds(20),
                    .trust = trust,
                    .settle = milliseconds(40),
                    .patience = milliseconds(300)},
                   cache, teller) {}
    /// Whether its cache answers.
    bool trusts() {
      Node root;
      root.id = NodeId{1};
      cache.remember(AccountId{1}, cache.begin_reading(AccountId{1}), {root});
      return cache.walk(AccountId{1}, NodeId{1}, {}).has_value();
    }
    const ServerId id = ServerId::random();
    NodeCache cache;
    Teller teller;
    ServerPresence presence;
  };
};

TEST_F(ServerPresenceTest, OnlyWhoIsAloneTrustsItsCache) {
  Server first(scratch.url());
  ASSERT_TRUE(first.teller.becomes(true));
  EXPECT_TRUE(first.trusts());
  {
    Server second(scratch.url());
    EXPECT_FALSE(first.trusts()) << "before the second one begins to serve";
    EXPECT_FALSE(second.trusts());
    ASSERT_TRUE(first.teller.becomes(false));
  }
  ASSERT_TRUE(first.teller.becomes(true)) << "the second one has gone";
  EXPECT_TRUE(first.trusts());
}

TEST_F(ServerPresenceTest, ALostConnectionEndsTheTrust) {
  Server server(scratch.url());
  ASSERT_TRUE(server.teller.becomes(true));
  scratch.execute(
      "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 2");
  ASSERT_TRUE(server.teller.becomes(false));
  EXPECT_FALSE(server.trusts());
  ASSERT_TRUE(server.teller.becomes(true)) << "it has come back";
}

TEST_F(ServerPresenceTest, AServerThatHangsIsNotWaitedForLong) {
  Session hung(scratch.url());
  Transaction::Inner(hung).script("SELECT pg_advisory_lock(1397244504, 2)");
  Server second(scratch.url(), milliseconds(100));
  EXPECT_TRUE(hung.peer_is_gone());
}

TEST_F(ServerPresenceTest, AServerWithoutItsPresenceIsNotOverlooked) {
  auto others = std::make_unique<Session>(scratch.url(), ServerId::random());
  Server server(scratch.url());
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_FALSE(server.trusts()) << "that session may write at any time";
  others.reset();
  ASSERT_TRUE(server.teller.becomes(true));
  EXPECT_TRUE(server.trusts());
}

TEST_F(ServerPresenceTest, ASessionOfAnotherServerWaitsUntilTheNamesAreForgotten) {
  Server server(scratch.url());
  ASSERT_TRUE(server.teller.becomes(true));
  for (int i = 0; i < 3; ++i) {
    Session others(scratch.url(), ServerId::random());
    EXPECT_FALSE(server.trusts());
    std::this_thread::sleep_for(milliseconds(200));
    EXPECT_FALSE(server.trusts()) << "as long as the session lives";
  }
  ASSERT_TRUE(server.teller.becomes(true));
}

TEST_F(ServerPresenceTest, OwnSessionsDisturbNobody) {
  Server server(scratch.url());
  ASSERT_TRUE(server.teller.becomes(true));
  const Session own(scratch.url(), server.id);
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_TRUE(server.trusts());
  EXPECT_EQ(server.teller.steps_down(), 0);
}

TEST_F(ServerPresenceTest, APoolThatServesShowsAllItsSessions) {
  Database::Options options;
  options.url = scratch.url();
  Database others(options);
  others.query([](Transaction& tx) { return tx.inner().script("SELECT 1"); });
  Server server(scratch.url());
  ASSERT_TRUE(server.teller.becomes(true)) << "a subcommand's session does not matter";
  others.begin_serving();
  others.query([](Transaction& tx) { return tx.inner().script("SELECT 1"); });
  EXPECT_EQ(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                 " AND classid = 1397244505 AND objid <> " +
                 std::to_string(server.id.value)),
            "2")
      << "the presence and one of the pool";
  execute(
      "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 2"
      " AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = " +
      std::to_string(server.id.value) + ")");
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(server.trusts()) << "the pool goes on without its presence";
    std::this_thread::sleep_for(milliseconds(20));
  }
}

TEST_F(ServerPresenceTest, ACommitInDoubtIsDoubtfulForAsLongAsItCanCome) {
  auto broken = std::make_unique<Session>(scratch.url());
  Server server(scratch.url());
  ASSERT_TRUE(server.teller.becomes(true));
  server.cache.doubt(broken->backend());
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_FALSE(server.trusts());
  broken.reset();
  for (int i = 0; i < 3000 && !server.trusts(); ++i) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_TRUE(server.trusts());
}

TEST_F(ServerPresenceTest, AMigrationWaitsUntilTheNamesAreForgotten) {
  const tests::ScratchDatabase empty{tests::ScratchDatabase::Empty{}};
  Server server(empty.url());
  ASSERT_TRUE(server.teller.becomes(true));
  migrate(empty.url());
  EXPECT_GE(server.teller.steps_down(), 1);
}

TEST_F(ServerPresenceTest, WhoChangesTheTreeDoesNotWaitLongForAServerThatHangs) {
  Session hung(scratch.url());
  Transaction::Inner(hung).script("SELECT pg_advisory_lock(1397244504, 2)");
  in([](Repositories& r) {
    r.transaction.inner().script(distrust_names(milliseconds(100), milliseconds(10)));
    EXPECT_EQ(std::string(r.transaction.inner().script("SHOW lock_timeout")[0][0].c_str()), "0");
  });
  while (!hung.peer_is_gone()) std::this_thread::yield();
}

TEST_F(ServerPresenceTest, WhoRemovesAUserWaitsUntilTheNamesAreForgotten) {
  const UserId user = in([&](Repositories& r) { return r.users.create(account, "anna", "").id; });
  Server server(scratch.url());
  ASSERT_TRUE(server.teller.becomes(true));
  in([&](Repositories& r) {
    r.users.remove(user);
    EXPECT_FALSE(server.trusts());
  });
  ASSERT_TRUE(server.teller.becomes(true));
}

}  // namespace
}  // namespace metadata
