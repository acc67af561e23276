#include "metadata/migrations/migrator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <stop_token>
#include <thread>

#include "metadata/migrations/embedded.h"
#include "metadata/transaction_pqxx.h"
#include "tests/support/metadata/scratch_database.h"

namespace metadata {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tests::ScratchDatabase;

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const auto& migration : embedded_migrations()) names.push_back(migration.name);
  return names;
}

struct ListeningObserver : Observer {
  void migration_applied(const std::string& name) override { applied.push_back(name); }
  std::vector<std::string> applied;
};

std::string message_of(Database& database) {
  try {
    migrate(database);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid);
    return error.what();
  }
  return "";
}

TEST(Migrator, AppliesAllOnceInOrder) {
  ScratchDatabase scratch{ScratchDatabase::Empty{}};
  EXPECT_THAT(pending(scratch.database()), ElementsAreArray(all_names()));
  EXPECT_EQ(scratch.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0")
      << "asking changes nothing";
  ListeningObserver observer;
  EXPECT_THAT(migrate(scratch.database(), &observer), ElementsAreArray(all_names()));
  EXPECT_THAT(observer.applied, ElementsAreArray(all_names()));
  EXPECT_THAT(pending(scratch.database()), IsEmpty());
  EXPECT_THAT(migrate(scratch.url()), IsEmpty());
}

TEST(Migrator, SeveralAtOnceApplyEachMigrationOnce) {
  ScratchDatabase scratch{ScratchDatabase::Empty{}};
  std::mutex mutex;
  std::vector<std::string> applied;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto names = migrate(scratch.url());
      const std::lock_guard lock(mutex);
      applied.insert(applied.end(), names.begin(), names.end());
    });
  }
  for (auto& thread : threads) thread.join();
  std::sort(applied.begin(), applied.end());
  EXPECT_THAT(applied, ElementsAreArray(all_names()));
}

TEST(Migrator, WhoWaitsForAnotherCanBeToldToGiveUp) {
  ScratchDatabase scratch{ScratchDatabase::Empty{}};
  scratch.database().transact([&](Transaction& other) {
    other.inner().script("SELECT pg_advisory_xact_lock(1397244504, 1)");
    std::stop_source give_up;
    Database database({.url = scratch.url(), .give_up = give_up.get_token()});
    const std::jthread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      give_up.request_stop();
    });
    EXPECT_THROW(migrate(database), Error);
    EXPECT_TRUE(give_up.stop_requested()) << "it waited until then";
  });
}

TEST(Migrator, AnEditedMigrationIsRefused) {
  ScratchDatabase scratch{ScratchDatabase::Empty{}};
  migrate(scratch.database());
  scratch.execute("UPDATE schema_migrations SET sha256 = 'other' WHERE name LIKE '0002%'");
  EXPECT_THAT(message_of(scratch.database()), HasSubstr("0002_nodes was applied with another"));
  EXPECT_THROW(pending(scratch.database()), Error);
}

TEST(Migrator, ANewerDatabaseIsRefused) {
  ScratchDatabase scratch{ScratchDatabase::Empty{}};
  migrate(scratch.database());
  scratch.execute("INSERT INTO schema_migrations VALUES ('9999_future', 'x')");
  EXPECT_THAT(message_of(scratch.database()), HasSubstr("run a newer program"));
}

TEST(Migrator, AGapIsRefused) {
  ScratchDatabase scratch{ScratchDatabase::Empty{}};
  migrate(scratch.database());
  scratch.execute("DELETE FROM schema_migrations WHERE name LIKE '0002%'");
  EXPECT_THAT(message_of(scratch.database()), HasSubstr("missing below an applied one"));
}

TEST(Migrator, TheRecordedHashesAreThoseOfTheTexts) {
  ScratchDatabase scratch;
  constexpr Statement hash{"test_hash", "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')"};
  for (const auto& migration : embedded_migrations()) {
    EXPECT_EQ(scratch.database().query([&](Transaction& tx) {
      return std::string(tx.inner().run(hash, migration.text)[0][0].c_str());
    }),
              migration.sha256);
  }
}

TEST(Schema, EveryTableIsExplained) {
  ScratchDatabase scratch;
  EXPECT_EQ(scratch.execute("SELECT string_agg(relname, ' ') FROM pg_class"
                            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
                            " AND obj_description(oid, 'pg_class') IS NULL"),
            "");
}

TEST(Schema, EveryKeyBeginsWithTheAccount) {
  ScratchDatabase scratch;
  EXPECT_EQ(scratch.execute(R"(
      SELECT string_agg(c.relname, ' ') FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
      WHERE i.indisprimary AND c.relnamespace = 'public'::regnamespace
        AND a.attname <> 'account_id' AND c.relname NOT IN ('accounts', 'schema_migrations'))"),
            "");
}

}  // namespace
}  // namespace metadata
