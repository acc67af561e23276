#include "metadata/repositories/accounts.h"

#include <gtest/gtest.h>

#include "metadata/repositories/nodes.h"
#include "tests/support/metadata/scratch_database.h"

namespace metadata {
namespace {

using tests::ScratchDatabase;

TEST(Accounts, ANewOneHasAnEmptyRootAndUsesNothing) {
  ScratchDatabase scratch;
  scratch.database().transact([](Transaction& tx) {
    Accounts accounts(tx);
    const AccountId account = accounts.create(std::nullopt);
    const auto root = Nodes(tx).find(account, accounts.root(account));
    ASSERT_TRUE(root);
    EXPECT_EQ(root->kind, NodeKind::directory);
    EXPECT_EQ(root->mode, 0755U);
    EXPECT_EQ(root->parent, NodeId{0});
    EXPECT_EQ(root->name, "");
    EXPECT_TRUE(Nodes(tx).list(account, root->id, "", 10).empty());
    const Usage usage = accounts.usage(account);
    EXPECT_EQ(usage.used_bytes, 0U);
    EXPECT_EQ(usage.files, 0U);
    EXPECT_EQ(usage.quota_bytes, std::nullopt);
  });
}

TEST(Accounts, TheQuotaCanBeSetAndLifted) {
  ScratchDatabase scratch;
  scratch.database().transact([](Transaction& tx) {
    Accounts accounts(tx);
    const AccountId account = accounts.create(1000);
    EXPECT_EQ(accounts.usage(account).quota_bytes, 1000U);
    accounts.set_quota(account, 5);
    EXPECT_EQ(accounts.usage(account).quota_bytes, 5U);
    accounts.set_quota(account, std::nullopt);
    EXPECT_EQ(accounts.usage(account).quota_bytes, std::nullopt);
  });
}

TEST(Accounts, AnUnknownOneIsNotFound) {
  ScratchDatabase scratch;
  const auto code_of = [&](auto ask) {
    try {
      scratch.database().transact([&](Transaction& tx) { ask(Accounts(tx)); });
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(code_of([](Accounts accounts) { accounts.root(AccountId{77}); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([](Accounts accounts) { accounts.usage(AccountId{77}); }),
            ErrorCode::not_found);
  EXPECT_EQ(code_of([](Accounts accounts) { accounts.set_quota(AccountId{77}, 1); }),
            ErrorCode::not_found);
}

}  // namespace
}  // namespace metadata
