#include "metadata/names/server_presence.h"

#include <condition_variable>
#include <mutex>

#include "metadata/names/node_cache.h"
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
    changed_.notify_all();
  }
  bool becomes(bool alone) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return alone_ == alone; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool alone_ = false;
};

class ServerPresenceTest : public MetadataTest {
 protected:
  /// What one process has.
  struct Server {
    explicit Server(const std::string& url, milliseconds trust = milliseconds(60'000))
        : presence({.url = url,
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
