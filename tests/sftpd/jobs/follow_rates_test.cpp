#include "sftpd/jobs/follow_rates.h"

#include <gtest/gtest.h>

#include "metadata/repositories/accounts.h"
#include "metadata/repositories/users.h"
#include "tests/support/metadata/scratch_database.h"

namespace sftpd::jobs {
namespace {

using metadata::Transaction;
using metadata::TransferRates;

TEST(FollowRates, OnlyChangesOfThoseWhoAreConnectedAreNews) {
  tests::ScratchDatabase scratch;
  metadata::Database& database = scratch.database();
  const auto create = [&](const std::string& name) {
    return database.transact([&](Transaction& tx) {
      const auto account = metadata::Accounts(tx).create(std::nullopt);
      return metadata::Users(tx).create(account, name, "").id;
    });
  };
  const auto change = [&](metadata::UserId user, const TransferRates& rates) {
    database.transact([&](Transaction& tx) { metadata::Users(tx).set_rates(user, rates); });
  };
  const metadata::UserId anna = create("anna");
  const metadata::UserId bob = create("bob");
  limits::Bandwidth bandwidth({});
  EXPECT_EQ(follow_rates(database, bandwidth).done, 0);

  const auto connected = bandwidth.enter(anna, {});
  EXPECT_EQ(follow_rates(database, bandwidth).done, 0);
  change(bob, {.upload_max = 4096, .download_max = 0});
  EXPECT_EQ(follow_rates(database, bandwidth).done, 0);
  change(anna, {.upload_max = 4096, .download_max = {}});
  EXPECT_EQ(follow_rates(database, bandwidth).done, 1);
  EXPECT_EQ(follow_rates(database, bandwidth).done, 0);
  change(anna, {});
  EXPECT_EQ(follow_rates(database, bandwidth).done, 1);
}

}  // namespace
}  // namespace sftpd::jobs
