#include "sftpd/admin/users.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metadata/repositories/accounts.h"
#include "sftpd/admin/context.h"
#include "sftpd/auth/password.h"
#include "tests/support/metadata/scratch_database.h"

namespace sftpd::admin {
namespace {

TEST(Users, AreCreatedWithPasswordAndQuota) {
  tests::ScratchDatabase scratch;
  EXPECT_FALSE(has_users(scratch.database()));
  create_user(scratch.database(), "anna", "correct", 10U << 20);
  EXPECT_TRUE(has_users(scratch.database()));
  const metadata::User user = require_user(scratch.database(), "anna");
  EXPECT_TRUE(auth::verify_password(user.password_hash, "correct"));
  const auto usage = scratch.database().query(
      [&](metadata::Transaction& tx) { return metadata::Accounts(tx).usage(user.account); });
  EXPECT_EQ(usage.quota_bytes, 10U << 20);
}

TEST(Users, ZeroMeansNoQuota) {
  EXPECT_EQ(quota_of(0), std::nullopt);
  EXPECT_EQ(quota_of(1), 1U);
}

TEST(Users, AQuotaThatCannotBeCountedIsSaidToBeOne) {
  tests::ScratchDatabase scratch;
  try {
    create_user(scratch.database(), "anna", "correct", std::uint64_t{10} << 60);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_THAT(failure.what(), testing::HasSubstr("quota"));
  }
  EXPECT_FALSE(has_users(scratch.database()));
  EXPECT_EQ(quota_of(std::uint64_t{8191} << 50), std::uint64_t{8191} << 50);
}

TEST(Users, AFailedCreationLeavesNothingBehind) {
  tests::ScratchDatabase scratch;
  create_user(scratch.database(), "anna", "correct", 0);
  EXPECT_THROW(create_user(scratch.database(), "anna", "other", 0), Failure);
  EXPECT_THROW(create_user(scratch.database(), "no spaces", "other", 0), Failure);
  EXPECT_EQ(scratch.execute("SELECT count(*) FROM accounts"), "1");
}

TEST(Users, AMissingUserIsNamed) {
  tests::ScratchDatabase scratch;
  try {
    require_user(scratch.database(), "nobody-here");
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_THAT(failure.what(), testing::HasSubstr("nobody-here"));
  }
}

TEST(Users, PasswordsCanBeChanged) {
  tests::ScratchDatabase scratch;
  create_user(scratch.database(), "anna", "correct", 0);
  set_password(scratch.database(), require_user(scratch.database(), "anna").id, "battery");
  const metadata::User user = require_user(scratch.database(), "anna");
  EXPECT_TRUE(auth::verify_password(user.password_hash, "battery"));
  EXPECT_FALSE(auth::verify_password(user.password_hash, "correct"));
}

}  // namespace
}  // namespace sftpd::admin
