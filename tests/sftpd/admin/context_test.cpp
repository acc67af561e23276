#include "sftpd/admin/context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metadata/migrations/migrator.h"
#include "tests/support/metadata/scratch_database.h"

namespace sftpd::admin {
namespace {

using tests::ScratchDatabase;

Context context_of(const ScratchDatabase& scratch) {
  return {"none", "", [url = scratch.url()](const std::string&) {
            Options options;
            options.backends.database.url = url;
            return options;
          }};
}

TEST(Context, AnEmptyDatabaseGetsItsTables) {
  ScratchDatabase scratch{ScratchDatabase::Empty{}};
  Context context = context_of(scratch);
  EXPECT_TRUE(metadata::pending(context.database()).empty());
}

TEST(Context, TablesThatAreInUseAreNotChanged) {
  ScratchDatabase scratch{ScratchDatabase::Empty{}};
  metadata::migrate(scratch.database());
  scratch.execute(
      "DELETE FROM schema_migrations WHERE name = (SELECT max(name) FROM schema_migrations)");
  Context context = context_of(scratch);
  try {
    context.database();
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_THAT(failure.what(), testing::HasSubstr("1 step behind"));
    EXPECT_THAT(failure.what(), testing::HasSubstr("migrate-schema"));
  }
  EXPECT_EQ(metadata::pending(scratch.database()).size(), 1U);
}

}  // namespace
}  // namespace sftpd::admin
