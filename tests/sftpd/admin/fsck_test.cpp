#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "metadata/repositories/accounts.h"
#include "metadata/repositories/consistency.h"
#include "metadata/repositories/nodes.h"
#include "metadata/repositories/objects.h"
#include "metadata/repositories/versions.h"
#include "metadata/transaction_pqxx.h"
#include "sftpd/admin/fsck/database_scan.h"
#include "sftpd/admin/fsck/report.h"
#include "sftpd/admin/fsck/store_scan.h"
#include "tests/support/failing_object_store.h"
#include "tests/support/memory_object_store.h"
#include "tests/support/metadata/scratch_database.h"

namespace sftpd::admin::fsck {
namespace {

using metadata::Transaction;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string content = "hello";
// printf hello | sha256sum
const std::string hash_hex = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

class Fsck : public testing::Test {
 protected:
  Fsck() {
    account_ = database().transact(
        [](Transaction& tx) { return metadata::Accounts(tx).create(std::nullopt); });
  }

  metadata::Database& database() { return scratch_.database(); }

  void put(const std::string& key, const std::string& bytes) {
    storage::PutOptions options;
    options.user_metadata["oid"] = key;
    store_.put({key}, storage::Payload::copy_of(bytes), options).get();
  }

  /// A file whose content is one object, which the store has.
  void make_file(const std::string& name, const std::string& key) {
    put(key, content);
    database().transact([&](Transaction& tx) {
      metadata::NewNode node;
      node.parent = metadata::Accounts(tx).root(account_);
      node.name = name;
      const auto id = metadata::Nodes(tx).insert(account_, node).id;
      const auto object = metadata::Objects(tx).reserve(account_, {key}, std::chrono::hours(1))[0];
      metadata::Publication publication;
      publication.node = id;
      publication.size = content.size();
      publication.extents = {{0, content.size(), metadata::ObjectSlice{object, {}, 0, 0}}};
      publication.finished = {{object, content.size(), {}, "e", {}}};
      metadata::Versions(tx).publish(account_, publication);
    });
    scratch_.execute("UPDATE objects SET sha256 = '\\x" + hash_hex + "'");
  }

  Report check(bool read_contents = false, bool repair = false) {
    lines_.clear();
    Report report([this](const std::string& line) { lines_.push_back(line); });
    check_rows(database(), report);
    check_objects(database(), failing_, {.read_contents = read_contents, .repair = repair}, report);
    find_unknown(database(), failing_, "", std::chrono::seconds(0), report);
    return report;
  }

  tests::ScratchDatabase scratch_;
  test_support::MemoryObjectStore store_;
  test_support::FailingObjectStore failing_{store_};
  metadata::AccountId account_;
  std::vector<std::string> lines_;
};

TEST_F(Fsck, WhatIsWholeIsClean) {
  make_file("a", "v1/aa/1");
  make_file("b", "v1/aa/2");
  const Report report = check(true);
  EXPECT_EQ(report.objects(), 2U);
  EXPECT_EQ(report.problems(), 0U);
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(Fsck, MissingObjectsAreNamedWithTheirFiles) {
  make_file("holiday.jpg", "v1/aa/1");
  store_.remove({"v1/aa/1"}).get();
  const Report report = check();
  EXPECT_EQ(report.count(Kind::object_missing), 1U);
  EXPECT_THAT(lines_, ElementsAre(AllOf(HasSubstr("v1/aa/1"), HasSubstr("/holiday.jpg"))));
}

TEST_F(Fsck, WrongSizesAndContentsAreFound) {
  make_file("a", "v1/aa/1");
  make_file("b", "v1/aa/2");
  put("v1/aa/1", "hell");
  put("v1/aa/2", "jello");
  const Report without = check(false);
  EXPECT_EQ(without.count(Kind::object_size), 1U);
  EXPECT_EQ(without.count(Kind::object_damaged), 0U);
  EXPECT_EQ(check(true).count(Kind::object_damaged), 1U);
}

TEST_F(Fsck, WhatAReaderFoundDamagedIsReportedUntilItIsRestored) {
  make_file("a", "v1/aa/1");
  scratch_.execute("UPDATE objects SET damaged_at = now()");
  EXPECT_EQ(check(false).count(Kind::object_damaged), 1U);
  EXPECT_EQ(check(true).count(Kind::object_damaged), 0U) << "its bytes are right";
  EXPECT_EQ(check(false).count(Kind::object_damaged), 1U) << "nothing was to be repaired";
  check(true, true);
  EXPECT_EQ(check(false).count(Kind::object_damaged), 0U);
  put("v1/aa/1", "jello");
  EXPECT_EQ(check(true, true).count(Kind::object_damaged), 1U);
  EXPECT_EQ(check(false).count(Kind::object_damaged), 1U);
}

TEST_F(Fsck, UnknownObjectsAreReportedAndLeftAlone) {
  make_file("a", "v1/aa/1");
  put("v1/bb/unknown", "x");
  put("elsewhere/unknown", "not ours");
  EXPECT_EQ(check().count(Kind::key_unknown), 1U);
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("v1/bb/unknown")));
  EXPECT_EQ(store_.object_count(), 3U);
}

TEST_F(Fsck, WhatWasDeletedSinceItWasListedIsNotUnknown) {
  put("v1/bb/collected", "x");
  failing_.add({.operation = test_support::Operation::list, .fault = test_support::Fault::hold});
  const std::jthread collector([&] {
    failing_.wait_until_held(1);
    store_.remove({"v1/bb/collected"}).get();
    failing_.release();
  });
  EXPECT_EQ(check().problems(), 0U);
}

TEST_F(Fsck, WhatWaitsForTheCollectorIsNoProblem) {
  database().transact([&](Transaction& tx) {
    metadata::Objects objects(tx);
    objects.reserve(account_, {"v1/aa/uploading"}, std::chrono::hours(1));
    objects.discard(account_, objects.reserve(account_, {"v1/aa/dead"}, std::chrono::hours(1)));
  });
  put("v1/aa/uploading", "x");
  const Report report = check();
  EXPECT_EQ(report.count(Kind::waiting), 2U);
  EXPECT_EQ(report.problems(), 0U);
}

TEST_F(Fsck, AStoreThatFailsIsNotTakenForAnEmptyOne) {
  make_file("a", "v1/aa/1");
  failing_.add({.operation = test_support::Operation::head});
  const Report report = check();
  EXPECT_EQ(report.count(Kind::object_unreadable), 1U);
  EXPECT_EQ(report.count(Kind::object_missing), 0U);
}

TEST_F(Fsck, ContradictingRowsAreFound) {
  make_file("a", "v1/aa/1");
  scratch_.execute("UPDATE nodes SET size = 7 WHERE name = 'a'");
  const Report report = check();
  EXPECT_EQ(report.count(Kind::rows_contradict), 2U) << "the file and its account's counters";
}

TEST_F(Fsck, CountersAndUnusedObjectsAreRepaired) {
  make_file("a", "v1/aa/1");
  scratch_.execute("UPDATE account_usage SET used_bytes = used_bytes + 100 WHERE slot = 3");
  scratch_.execute(
      "INSERT INTO objects (account_id, key, state) SELECT id, 'v1/cc/1', 'live'"
      " FROM accounts");
  put("v1/cc/1", "");
  EXPECT_EQ(check().count(Kind::rows_contradict), 2U);
  const auto found = database().transact(
      [](Transaction& tx) { return metadata::Consistency(tx).find_repairable(10); });
  const auto repair = [&](Transaction& tx) { return metadata::Consistency(tx).repair(found); };
  EXPECT_EQ(database().transact(repair), 2);
  const Report after = check();
  EXPECT_EQ(after.problems(), 0U);
  EXPECT_EQ(after.count(Kind::waiting), 1U);
  EXPECT_EQ(database().transact(repair), 0) << "what is right by now is left alone";
}

TEST_F(Fsck, WholeTablesMayTakeTheirTime) {
  const auto settings = [](Transaction& tx) {
    metadata::Consistency(tx).find(10);
    return tx.inner().script(
        "SELECT current_setting('statement_timeout'),"
        " current_setting('enable_seqscan')")[0];
  };
  const auto row = database().transact(settings);
  EXPECT_STREQ(row[0].c_str(), "0");
  EXPECT_STREQ(row[1].c_str(), "on");
  EXPECT_EQ(scratch_.execute("SHOW statement_timeout"), "1min") << "for these questions only";
}

TEST_F(Fsck, ARepairWithNothingToRepairLocksNothing) {
  make_file("a", "v1/aa/1");
  database().transact([&](Transaction& writer) {
    writer.inner().script("LOCK TABLE nodes IN ROW EXCLUSIVE MODE");  // As every writer has it.
    EXPECT_EQ(database().transact([](Transaction& tx) {
      metadata::Consistency consistency(tx);
      return consistency.repair(consistency.find(10));
    }),
              0);
  });
}

TEST_F(Fsck, SumsOfAnySizeAreSums) {
  make_file("a", "v1/aa/1");
  make_file("b", "v1/aa/2");
  scratch_.execute("UPDATE nodes SET size = 9223372036854775807 WHERE kind = 'file'");
  scratch_.execute("UPDATE versions SET size = 9223372036854775807");
  scratch_.execute(
      "UPDATE account_usage SET used_bytes = CASE WHEN slot < 2 THEN 9223372036854775807 ELSE 0 "
      "END");
  EXPECT_EQ(check().count(Kind::rows_contradict), 0U);
  scratch_.execute("UPDATE account_usage SET used_bytes = 5 WHERE slot = 2");
  EXPECT_EQ(check().count(Kind::rows_contradict), 1U);
  EXPECT_EQ(scratch_.execute("SELECT used_bytes FROM account_totals"), "9223372036854775807");
  EXPECT_EQ(database()
                .query([&](Transaction& tx) { return metadata::Accounts(tx).usage(account_); })
                .used_bytes,
            9223372036854775807U);
}

}  // namespace
}  // namespace sftpd::admin::fsck
