#include "metadata/migrations/obstacles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metadata/migrations/migrator.h"
#include "tests/support/metadata/scratch_database.h"

namespace metadata {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tests::ScratchDatabase;

/// An empty database, and one role beside its owner, as whom we come.
class Obstacles : public testing::Test {
 protected:
  Obstacles() {
    scratch_.execute(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'weak') THEN"
        " CREATE ROLE weak; END IF; END $$");
  }

  std::vector<std::string> found() {
    Database database({.url = scratch_.url() + " options='-c role=weak'"});
    return obstacles(database);
  }

  ScratchDatabase scratch_{ScratchDatabase::Empty{}};
};

TEST_F(Obstacles, TheOwnerHasNone) {
  EXPECT_THAT(obstacles(scratch_.database()), IsEmpty());
  migrate(scratch_.database());
  EXPECT_THAT(obstacles(scratch_.database()), IsEmpty());
}

TEST_F(Obstacles, WhoMayNotMakeTablesCannotMigrate) {
  EXPECT_THAT(found(), ElementsAre(HasSubstr("GRANT CREATE ON SCHEMA public TO weak")));
  scratch_.execute("GRANT CREATE ON SCHEMA public TO weak");
  EXPECT_THAT(found(), IsEmpty());
  scratch_.execute("REVOKE ALL ON SCHEMA public FROM weak, PUBLIC");
  EXPECT_THAT(found(), ElementsAre(HasSubstr("GRANT USAGE, CREATE ON SCHEMA public TO weak")));
}

TEST_F(Obstacles, WhoDoesNotOwnTheTablesCannotMigrateThem) {
  migrate(scratch_.database());
  scratch_.execute("GRANT CREATE ON SCHEMA public TO weak");
  scratch_.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO weak");
  EXPECT_THAT(found(), IsEmpty()) << "nothing is to be migrated";
  scratch_.execute(
      "DELETE FROM schema_migrations WHERE name = (SELECT max(name) FROM schema_migrations)");
  EXPECT_THAT(found(), ElementsAre(AllOf(HasSubstr("function shoebox_account_create belongs to"),
                                         HasSubstr("GRANT shoebox TO weak"))));
}

TEST_F(Obstacles, WhoMayNotWriteCannotServe) {
  migrate(scratch_.database());
  scratch_.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO weak");
  EXPECT_THAT(found(),
              ElementsAre(HasSubstr("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES")));
}

TEST_F(Obstacles, ADatabaseThatOnlyReadsIsOne) {
  Database database({.url = scratch_.url() + " options='-c default_transaction_read_only=on'"});
  EXPECT_THAT(obstacles(database), ElementsAre(HasSubstr("only reads")));
}

TEST(Server, MustBeFifteenOrLater) {
  EXPECT_FALSE(is_supported_server(140'017));
  EXPECT_TRUE(is_supported_server(150'000));
  EXPECT_TRUE(is_supported_server(180'001));
}

}  // namespace
}  // namespace metadata
