#include "sftpd/jobs/collect_garbage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metadata/repositories/accounts.h"
#include "metadata/repositories/objects.h"
#include "tests/support/failing_object_store.h"
#include "tests/support/memory_object_store.h"
#include "tests/support/metadata/scratch_database.h"

namespace sftpd::jobs {
namespace {

using metadata::Objects;
using metadata::Transaction;
using std::chrono::seconds;
using test_support::Fault;
using test_support::Operation;

class CollectGarbage : public testing::Test {
 protected:
  CollectGarbage() {
    account_ = database().transact(
        [](Transaction& tx) { return metadata::Accounts(tx).create(std::nullopt); });
  }

  metadata::Database& database() { return scratch_.database(); }

  metadata::ObjectId reserve(const std::string& key, seconds lease = seconds{300}) {
    return database().transact(
        [&](Transaction& tx) { return Objects(tx).reserve(account_, {key}, lease).front(); });
  }

  void discard(metadata::ObjectId id) {
    database().transact([&](Transaction& tx) { Objects(tx).discard(account_, {id}); });
  }

  static storage::PutOptions options(const std::string& oid) {
    storage::PutOptions options;
    options.user_metadata["oid"] = oid;
    return options;
  }

  void put(const std::string& key) {
    store_.put({key}, storage::Payload::copy_of("content"), options(key)).get();
  }

  Progress collect() { return collect_garbage(database(), failing_, options_, {}); }

  std::string state(const std::string& key) {
    return scratch_.execute("SELECT state FROM objects WHERE key = '" + key + "'");
  }

  tests::ScratchDatabase scratch_;
  test_support::MemoryObjectStore store_;
  test_support::FailingObjectStore failing_{store_};
  metadata::AccountId account_;
  CollectOptions options_{.keep_dead = seconds{0}, .grace = seconds{0}};
};

TEST_F(CollectGarbage, WhatWasGivenUpIsDeleted) {
  discard(reserve("v1/aa/1"));
  put("v1/aa/1");
  EXPECT_EQ(collect().done, 1);
  EXPECT_EQ(store_.object_count(), 0U);
  EXPECT_EQ(state("v1/aa/1"), "gone");
  EXPECT_EQ(collect().done, 0);
}

/// A database that is restored from a backup of these days names it again.
TEST_F(CollectGarbage, WhatWasContentIsKeptForBackups) {
  reserve("v1/aa/content");
  put("v1/aa/content");
  discard(reserve("v1/aa/given-up"));
  put("v1/aa/given-up");
  const auto died = [&](const std::string& ago) {
    scratch_.execute("UPDATE objects SET state = 'dead', dead_at = now() - interval '" + ago +
                     "' WHERE key = 'v1/aa/content'");
  };
  options_ = {};
  died("6 days 23 hours");
  EXPECT_EQ(collect().done, 1);
  EXPECT_EQ(state("v1/aa/given-up"), "gone") << "nothing ever named it";
  EXPECT_EQ(state("v1/aa/content"), "dead");
  died("7 days");
  EXPECT_EQ(collect().done, 1);
  EXPECT_EQ(state("v1/aa/content"), "gone");
}

TEST_F(CollectGarbage, WhatIsBeingUploadedIsLeftAlone) {
  reserve("v1/aa/1");
  put("v1/aa/1");
  EXPECT_EQ(collect().done, 0);
  EXPECT_EQ(store_.object_count(), 1U);
}

TEST_F(CollectGarbage, AnEndedLeaseIsCollectedWithItsUploads) {
  reserve("v1/aa/1", seconds{-10});
  store_.create_upload({"v1/aa/1"}, options("1")).get();
  EXPECT_EQ(collect().done, 1);
  EXPECT_EQ(store_.upload_count(), 0U);
}

TEST_F(CollectGarbage, UnknownObjectsAreNoneOfItsBusiness) {
  put("v1/bb/unknown");
  EXPECT_EQ(collect().done, 0);
  EXPECT_EQ(store_.object_count(), 1U);
}

TEST_F(CollectGarbage, WhatTheStoreDoesNotDeleteIsTriedAgain) {
  discard(reserve("v1/aa/1"));
  discard(reserve("v1/aa/2"));
  put("v1/aa/1");
  put("v1/aa/2");
  failing_.add({.operation = Operation::remove, .fault = Fault::refuse});
  const Progress progress = collect();
  EXPECT_EQ(progress.done, 1);
  EXPECT_FALSE(progress.more);
  EXPECT_EQ(store_.object_count(), 1U);
  EXPECT_EQ(collect().done, 1);
  EXPECT_EQ(store_.object_count(), 0U);
}

TEST_F(CollectGarbage, OnlyTheStoresWordMakesItGone) {
  discard(reserve("v1/aa/1"));
  put("v1/aa/1");
  failing_.add({.operation = Operation::head, .fault = Fault::refuse});
  EXPECT_EQ(collect().done, 0);
  EXPECT_EQ(state("v1/aa/1"), "reaping");
  EXPECT_EQ(collect().done, 1);
  EXPECT_EQ(state("v1/aa/1"), "gone");
}

TEST_F(CollectGarbage, WhatCameBackIsDeletedADayLater) {
  discard(reserve("v1/aa/1"));
  EXPECT_EQ(collect().done, 1);
  put("v1/aa/1");  // A request that was under way for long.
  EXPECT_EQ(collect().done, 0);
  scratch_.execute("UPDATE objects SET gone_at = gone_at - interval '25 hours'");
  EXPECT_EQ(collect().done, 1);
  EXPECT_EQ(store_.object_count(), 0U);
}

TEST_F(CollectGarbage, AFullBatchSaysThatThereIsMore) {
  for (int i = 0; i < 5; ++i) discard(reserve("v1/aa/" + std::to_string(i)));
  options_.batch_max = 3;
  const Progress first = collect();
  EXPECT_EQ(first.done, 3);
  EXPECT_TRUE(first.more);
  const Progress second = collect();
  EXPECT_EQ(second.done, 2);
  EXPECT_FALSE(second.more);
}

}  // namespace
}  // namespace sftpd::jobs
