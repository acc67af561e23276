#include "metadata/database.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <stop_token>
#include <thread>
#include <utility>

#include "metadata/names/node_cache.h"
#include "metadata/transaction_pqxx.h"
#include "tests/support/metadata/scratch_database.h"

namespace metadata {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using tests::ScratchDatabase;

constexpr Statement insert_account{"test_insert_account", "INSERT INTO accounts DEFAULT VALUES"};
constexpr Statement count_accounts{"test_count_accounts", "SELECT count(*) FROM accounts"};
constexpr Statement own_pid{"test_own_pid", "SELECT pg_backend_pid()"};

struct CountingObserver : Observer {
  void database_connected() override { ++connected; }
  void database_lost(const std::string&) override { ++lost; }
  void transaction_retried(const std::string&) override { ++retried; }
  std::atomic<int> connected{0}, lost{0}, retried{0};
};

int count_in(Transaction& tx) { return tx.inner().run(count_accounts)[0][0].as<int>(); }
int count_in(Database& database) {
  return database.query([](Transaction& tx) { return count_in(tx); });
}

/// Ends the server's side of a transaction, and returns when our side could know it.
void cut(ScratchDatabase& scratch, Transaction& tx) {
  const auto pid = tx.inner().run(own_pid)[0][0].as<std::string>();
  scratch.execute("SELECT pg_terminate_backend(" + pid + ")");
  while (!tx.inner().session.peer_is_gone()) std::this_thread::yield();
}

template <class Function>
std::optional<ErrorCode> code_of(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

TEST(Database, CommitsWhatTheWorkDidAndReturnsItsResult) {
  ScratchDatabase scratch;
  EXPECT_EQ(scratch.database().transact([](Transaction& tx) {
    tx.inner().run(insert_account);
    return std::string("result");
  }),
            "result");
  EXPECT_EQ(count_in(scratch.database()), 1);
}

TEST(Database, AnExceptionOfTheWorkRollsBack) {
  ScratchDatabase scratch;
  EXPECT_THROW(scratch.database().transact([](Transaction& tx) {
    tx.inner().run(insert_account);
    throw std::out_of_range("mine");
  }),
               std::out_of_range);
  EXPECT_EQ(count_in(scratch.database()), 0);
}

TEST(Database, AFailureThatTheWorkSwallowedIsThrownAnyway) {
  ScratchDatabase scratch;
  const auto swallow = [&] {
    scratch.database().transact([](Transaction& tx) {
      tx.inner().run(insert_account);
      EXPECT_THROW(tx.inner().script("SELECT 1/0"), Error);
      EXPECT_THROW(tx.inner().run(insert_account), Error) << "the transaction is over";
    });
  };
  EXPECT_EQ(code_of(swallow), ErrorCode::invalid);
  EXPECT_EQ(count_in(scratch.database()), 0);
}

TEST(Database, OurOwnBadSqlIsInternal) {
  ScratchDatabase scratch;
  EXPECT_EQ(code_of([&] {
              scratch.database().transact([](Transaction& tx) { tx.inner().script("SELEKT"); });
            }),
            ErrorCode::internal);
}

TEST(Database, ASerializationFailureIsRepeated) {
  CountingObserver observer;
  ScratchDatabase scratch(4, &observer);
  int attempts = 0;
  scratch.database().transact([&](Transaction& tx) {
    tx.inner().run(insert_account);
    if (++attempts < 3) tx.inner().script("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$");
  });
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(observer.retried, 2);
  EXPECT_EQ(count_in(scratch.database()), 1);
}

TEST(Database, AnEndlessConflictIsAConflict) {
  ScratchDatabase scratch;
  EXPECT_EQ(code_of([&] {
              scratch.database().transact([](Transaction& tx) {
                tx.inner().script("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$");
              });
            }),
            ErrorCode::conflict);
}

TEST(Database, ADeadlockIsResolvedAndBothCommit) {
  ScratchDatabase scratch;
  scratch.execute("INSERT INTO accounts (id) VALUES (101), (102)");
  std::barrier both_hold_one(2);
  std::atomic<int> meetings{0};
  const auto lock = [](Transaction& tx, const std::string& id) {
    tx.inner().script("UPDATE accounts SET quota_bytes = coalesce(quota_bytes, 0) + 1 WHERE id = " +
                      id);
  };
  const auto run = [&](const std::string& first, const std::string& second) {
    bool met = false;
    scratch.database().transact([&](Transaction& tx) {
      lock(tx, first);
      if (!std::exchange(met, true)) {
        ++meetings;
        both_hold_one.arrive_and_wait();
      }
      lock(tx, second);
    });
  };
  std::thread other([&] { run("102", "101"); });
  run("101", "102");
  other.join();
  EXPECT_EQ(meetings, 2);
  EXPECT_EQ(scratch.execute("SELECT sum(quota_bytes) FROM accounts"), "4");
}

TEST(Database, AConnectionLostInTheMiddleIsReplacedAndTheWorkRepeated) {
  CountingObserver observer;
  ScratchDatabase scratch(4, &observer);
  int attempts = 0;
  scratch.database().transact([&](Transaction& tx) {
    tx.inner().run(insert_account);
    if (++attempts == 1) cut(scratch, tx);
    tx.inner().run(insert_account);
  });
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(observer.lost, 1);
  EXPECT_EQ(count_in(scratch.database()), 2);
}

TEST(Database, AConnectionFoundDeadBeforeCommitIsNoDoubt) {
  ScratchDatabase scratch;
  int attempts = 0;
  scratch.database().transact([&](Transaction& tx) {
    tx.inner().run(insert_account);
    if (++attempts == 1) cut(scratch, tx);
  });
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(count_in(scratch.database()), 1);
}

TEST(Database, AConnectionThatBreaksDuringCommitLeavesDoubt) {
  ScratchDatabase scratch{ScratchDatabase::Empty{}};
  scratch.execute(R"(
    CREATE TABLE t (i int);
    CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION die())");
  int attempts = 0;
  EXPECT_EQ(code_of([&] {
              scratch.database().transact([&](Transaction& tx) {
                ++attempts;
                tx.inner().script("INSERT INTO t VALUES (1)");
              });
            }),
            ErrorCode::in_doubt);
  EXPECT_EQ(attempts, 1) << "what may have happened is not repeated";
  EXPECT_EQ(scratch.database().node_cache().doubts().size(), 1U) << "nor are names believed";
}

TEST(Database, WhatMayBeDoneTwiceIsRepeatedWhereACommitIsInDoubt) {
  ScratchDatabase scratch{ScratchDatabase::Empty{}};
  scratch.execute(R"(
    CREATE TABLE t (i int PRIMARY KEY);
    CREATE SEQUENCE commits;
    CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('commits') = 1 THEN
        PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60);
      END IF;
      RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION die())");
  int attempts = 0;
  scratch.database().transact_repeatable([&](Transaction& tx) {
    ++attempts;
    tx.inner().script("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING");
  });
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(scratch.execute("SELECT count(*) FROM t"), "1");
}

TEST(Database, IdsOfNodesJumpWhereTheyMayHaveBeenLost) {
  ScratchDatabase scratch;
  const auto last_id = [&] {
    return std::stoll(scratch.execute("SELECT last_value FROM nodes_id_seq"));
  };
  const auto lose_connection = [&] {
    scratch.database().transact([&, first = true](Transaction& tx) mutable {
      if (std::exchange(first, false)) cut(scratch, tx);
      tx.inner().script("SELECT 1");
    });
  };
  lose_connection();
  const auto made = scratch.database().connections_made();
  EXPECT_LT(last_id(), 1000) << "no client is served";
  scratch.database().begin_serving();
  const auto at_start = last_id();
  EXPECT_GE(at_start, 1'000'000);
  lose_connection();
  EXPECT_GT(scratch.database().connections_made(), made);
  EXPECT_GE(last_id(), at_start + 1'000'000);
}

TEST(Database, AStatementAloneIsCommitted) {
  ScratchDatabase scratch;
  scratch.database().execute([](Transaction& tx) { return tx.inner().run(insert_account); });
  EXPECT_EQ(count_in(scratch.database()), 1);
}

TEST(Database, AConnectionThatBreaksDuringAStatementAloneLeavesDoubt) {
  ScratchDatabase scratch;
  int attempts = 0;
  EXPECT_EQ(code_of([&] {
              scratch.database().execute([&](Transaction& tx) {
                ++attempts;
                return tx.inner().script("SELECT pg_terminate_backend(pg_backend_pid())");
              });
            }),
            ErrorCode::in_doubt);
  EXPECT_EQ(attempts, 1) << "what may have happened is not repeated";
}

TEST(Database, AConnectionThatDiedIdleLeavesNoDoubt) {
  ScratchDatabase scratch;
  scratch.database().query([&](Transaction& tx) {
    cut(scratch, tx);
    return 0;
  });
  scratch.database().execute([](Transaction& tx) { return tx.inner().run(insert_account); });
  EXPECT_EQ(count_in(scratch.database()), 1);
}

TEST(Database, AConstraintThatFailsAtCommitIsNoDoubt) {
  ScratchDatabase scratch{ScratchDatabase::Empty{}};
  scratch.execute("CREATE TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
  EXPECT_EQ(code_of([&] {
              scratch.database().transact(
                  [](Transaction& tx) { tx.inner().script("INSERT INTO t VALUES (1), (1)"); });
            }),
            ErrorCode::already_exists);
}

TEST(Database, ConnectionsThatDiedIdleAreNotUsed) {
  ScratchDatabase scratch;
  EXPECT_EQ(count_in(scratch.database()), 0);
  Database::Options options;
  options.url = scratch.url();
  Database other(options);
  other.query([](Transaction& tx) {
    tx.inner().script(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()");
    return true;
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(count_in(scratch.database()), 0);
}

TEST(Database, AQueryIsRepeatedOnANewConnection) {
  ScratchDatabase scratch;
  int attempts = 0;
  EXPECT_EQ(scratch.database().query([&](Transaction& tx) {
    if (++attempts == 1) cut(scratch, tx);
    return count_in(tx);
  }),
            0);
  EXPECT_EQ(attempts, 2);
}

TEST(Database, LaterCommitsDoNotWaitForTheDiskAndLeaveNoTrace) {
  ScratchDatabase scratch(1);
  const auto setting = [](Transaction& tx) {
    return std::string(tx.inner().script("SHOW synchronous_commit")[0][0].c_str());
  };
  EXPECT_EQ(scratch.database().transact(setting, Durability::later), "off");
  EXPECT_EQ(scratch.database().transact(setting), "on");
  EXPECT_EQ(scratch.database().query(setting), "on");
}

TEST(Database, ACallWaitsForAFreeConnectionNoLongerThanItSays) {
  ScratchDatabase scratch;
  Database::Options options;
  options.url = scratch.url();
  options.connections_max = 1;
  options.acquire_timeout = milliseconds(5);
  Database database(options);
  EXPECT_EQ(code_of([&] {
              database.transact([&](Transaction&) { database.transact([](Transaction&) {}); });
            }),
            ErrorCode::unavailable);
  EXPECT_NO_THROW(database.transact([](Transaction&) {})) << "the first one was given back";
  EXPECT_EQ(database.load().in_use, 0);
  EXPECT_EQ(database.load().waiting, 0);
}

TEST(Database, ItsLoadSaysWhoHasAConnectionAndWhoWaits) {
  ScratchDatabase scratch(1);
  std::thread other;
  scratch.database().transact([&](Transaction&) {
    EXPECT_EQ(scratch.database().load().in_use, 1);
    EXPECT_EQ(scratch.database().load().connections_max, 1);
    other = std::thread([&] { scratch.database().transact([](Transaction&) {}); });
    while (scratch.database().load().waiting == 0) std::this_thread::yield();
  });
  other.join();
  EXPECT_EQ(scratch.database().load().waiting, 0);
}

TEST(Database, ManyThreadsShareFewConnections) {
  CountingObserver observer;
  ScratchDatabase scratch(3, &observer);
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 20; ++k) {
        scratch.database().transact([](Transaction& tx) { tx.inner().run(insert_account); });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count_in(scratch.database()), 240);
  EXPECT_LE(observer.connected, 3);
}

TEST(Database, AWrongConnectionStringFailsAtOnceAndIsNotRepeatedInTheMessage) {
  ScratchDatabase scratch;
  for (const std::string& url :
       {scratch.url() + " dbname=no_such_database", std::string("postgres://u:s3cret@[bad"),
        std::string("password=s3cret nonsense=1"), std::string("s3cret")}) {
    Database::Options options;
    options.url = url;
    options.outage_max = hours(1);  // Were it repeated, this test would not end.
    Database database(options);
    try {
      database.transact([](Transaction&) {});
      ADD_FAILURE() << "connected";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unavailable);
      EXPECT_EQ(std::string(error.what()).find("s3cret"), std::string::npos) << error.what();
    }
  }
}

TEST(Database, CallsOnAServerThatIsAwayCanBeToldToGiveUp) {
  std::stop_source give_up;
  Database database(
      {.url = "host=/nonexistent", .outage_max = hours(1), .give_up = give_up.get_token()});
  const std::jthread later([&] {
    std::this_thread::sleep_for(milliseconds(100));
    give_up.request_stop();
  });
  EXPECT_EQ(code_of([&] { count_in(database); }), ErrorCode::unavailable);
  EXPECT_TRUE(give_up.stop_requested());
}

TEST(Database, AServerThatStaysAwayIsUnavailable) {
  Database::Options options;
  options.url = "host=/nonexistent dbname=x";
  options.outage_max = milliseconds(50);
  Database database(options);
  EXPECT_EQ(code_of([&] { database.transact([](Transaction&) {}); }), ErrorCode::unavailable);
  EXPECT_EQ(code_of([&] { count_in(database); }), ErrorCode::unavailable);
}

TEST(Session, SettingsOfTheConnectionStringWinOverOurs) {
  ScratchDatabase scratch;
  const auto application_name = [](const std::string& url) {
    Database::Options options;
    options.url = url;
    return Database(options).query([](Transaction& tx) {
      return std::string(tx.inner().script("SHOW application_name")[0][0].c_str());
    });
  };
  EXPECT_EQ(application_name(scratch.url()), "shoebox");
  EXPECT_EQ(application_name(scratch.url() + " fallback_application_name=mine"), "mine");
  EXPECT_TRUE(with_defaults("postgres://h/d?connect_timeout=99").ends_with("&connect_timeout=99"));
  EXPECT_TRUE(with_defaults("postgresql://h/d").starts_with("postgresql://h/d?fallback"));
}

}  // namespace
}  // namespace metadata
