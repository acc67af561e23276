#include "sftpd/jobs/exports/export_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metadata/dump/tables.h"
#include "metadata/repositories/accounts.h"
#include "metadata/repositories/nodes.h"
#include "sftpd/jobs/collect_garbage.h"
#include "sftpd/jobs/exports/catalog.h"
#include "sftpd/jobs/exports/gzip.h"
#include "tests/support/failing_object_store.h"
#include "tests/support/memory_object_store.h"
#include "tests/support/metadata/scratch_database.h"

namespace sftpd::jobs {
namespace {

using metadata::Transaction;
using std::chrono::hours;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

class ExportMetadata : public testing::Test {
 protected:
  ExportMetadata() { options_.key_prefix = "pre"; }

  metadata::AccountId make_account() {
    return scratch_.database().transact(
        [](Transaction& tx) { return metadata::Accounts(tx).create(std::nullopt); });
  }

  ExportOutcome run(bool now = true, const std::stop_token& stop = {}) {
    return export_metadata(scratch_.database(), store_, options_, now, stop);
  }
  Exported exported(bool now = true) { return std::get<Exported>(run(now)); }

  std::vector<StoredExport> exports() { return list_exports(store_, options_.key_prefix); }

  std::string text_of(const std::string& key) {
    const auto file = memory_.get({key}, {0, 1U << 30}).get();
    std::string text;
    GzipReader().add(file.bytes(), [&](std::string_view more) { text += more; });
    return text;
  }

  /// As if it was written so long ago.
  void age(const Exported& which, std::chrono::seconds by) {
    const auto then = std::chrono::system_clock::now() - by;
    const std::string name = exports_directory(options_.key_prefix) + new_export_name(then);
    for (const auto& key : memory_.keys()) {
      if (!key.text.starts_with(which.directory)) continue;
      storage::PutOptions how;
      how.user_metadata["oid"] = name;
      const auto body = memory_.get(key, {0, 1U << 30}).get();
      memory_.put({name + key.text.substr(which.directory.size())}, body, how).get();
      memory_.remove(key).get();
    }
  }

  tests::ScratchDatabase scratch_;
  test_support::MemoryObjectStore memory_;
  test_support::FailingObjectStore store_{memory_};
  ExportOptions options_;
};

TEST_F(ExportMetadata, ItsFilesAreWhatTheManifestSays) {
  make_account();
  const Exported one = exported();
  EXPECT_THAT(one.directory, StartsWith("pre/metadata/2"));
  ASSERT_THAT(exports(), SizeIs(1));
  const Manifest manifest = read_manifest(store_, exports()[0]);
  EXPECT_EQ(manifest.rows(), one.rows);
  EXPECT_EQ(manifest.size_bytes(), one.size_bytes);
  EXPECT_EQ(manifest.rows_of("accounts"), 1U);
  EXPECT_EQ(manifest.rows_of("account_usage"), 8U);
  for (const ExportedFile& file : manifest.files) {
    const auto body = memory_.get({one.directory + "/" + file.name}, {0, 1U << 30}).get();
    EXPECT_EQ(body.size(), file.size_bytes);
    EXPECT_EQ(sha256_hex(body.text()), file.sha256);
  }
  EXPECT_THAT(text_of(one.directory + "/00001-accounts.jsonl.gz"), StartsWith("{\"id\":"));
}

TEST_F(ExportMetadata, LargeTablesAreCutIntoFiles) {
  const auto account = make_account();
  scratch_.execute(
      "INSERT INTO audit_events (account_id, action, detail) SELECT " +
      std::to_string(account.value) +
      ", 'x', jsonb_build_object('random', md5(g::text)) FROM generate_series(1, 20000) g");
  options_.file_size_max = 100'000;
  exported();
  const Manifest manifest = read_manifest(store_, exports()[0]);
  EXPECT_EQ(manifest.rows_of("audit_events"), 20'000U);
  std::uint64_t rows = 0;
  int files = 0;
  for (const ExportedFile& file : manifest.files) {
    if (file.table != "audit_events") continue;
    ++files;
    const std::string text = text_of(exports()[0].directory + "/" + file.name);
    rows += static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
    EXPECT_EQ(text.back(), '\n');
    EXPECT_LT(file.size_bytes, 400'000U);
  }
  EXPECT_GT(files, 2);
  EXPECT_EQ(rows, 20'000U);
}

TEST_F(ExportMetadata, AnEmptyDatabasePushesNothingOut) {
  EXPECT_EQ(std::get<NoExport>(run()), NoExport::no_users);
  EXPECT_EQ(memory_.object_count(), 0U);
}

TEST_F(ExportMetadata, AProgramThatDoesNotKnowAllTablesWritesNone) {
  make_account();
  scratch_.execute("INSERT INTO schema_migrations VALUES ('9999_future', 'x')");
  EXPECT_EQ(std::get<NoExport>(run()), NoExport::newer_schema);
  scratch_.execute("DELETE FROM schema_migrations WHERE name = '9999_future'");
}

TEST_F(ExportMetadata, TheNextOneComesWhenItIsDue) {
  make_account();
  options_.every = hours(24);
  const Exported first = exported(false);
  EXPECT_EQ(std::get<NoExport>(run(false)), NoExport::not_due);
  age(first, hours(25));
  exported(false);
  EXPECT_THAT(exports(), SizeIs(2));
  exported(true);
  EXPECT_THAT(exports(), SizeIs(3)) << "by command at any time";
}

TEST_F(ExportMetadata, OnlyTheLastOnesStay) {
  make_account();
  options_.keep = 2;
  for (int i = 5; i > 0; --i) age(exported(), hours(i));
  exported();
  ASSERT_THAT(exports(), SizeIs(2));
  for (const StoredExport& one : exports()) EXPECT_TRUE(one.has_manifest);
}

TEST_F(ExportMetadata, ThoseOfAnotherDatabaseStay) {
  make_account();
  options_.keep = 1;
  age(exported(), hours(100));
  scratch_.execute("UPDATE schema_migrations SET applied_at = applied_at + interval '1 hour'");
  age(exported(), hours(50));
  exported();
  EXPECT_THAT(exports(), SizeIs(2)) << "the other database's, and one of this";
  scratch_.execute("UPDATE schema_migrations SET applied_at = applied_at - interval '1 hour'");
}

TEST_F(ExportMetadata, AFailureLeavesNoManifestAndWhatItLeftIsDeletedOnceNobodyCanWriteIt) {
  make_account();
  store_.add({.operation = test_support::Operation::put, .skip = 3});
  EXPECT_THROW(run(), storage::Error);
  ASSERT_THAT(exports(), SizeIs(1));
  EXPECT_FALSE(exports()[0].has_manifest);
  age({.directory = exports()[0].directory}, hours(1));
  exported();
  EXPECT_THAT(exports(), SizeIs(2)) << "somebody may still be writing it";
  for (const StoredExport& one : exports()) {
    if (!one.has_manifest) age({.directory = one.directory}, hours(25));
  }
  exported();
  for (const StoredExport& one : exports()) EXPECT_TRUE(one.has_manifest);
}

TEST_F(ExportMetadata, AManifestGoesBeforeItsFiles) {
  make_account();
  const Exported one = exported();
  const auto stored = exports()[0];
  store_.add({.operation = test_support::Operation::remove, .skip = 1});
  EXPECT_THROW(remove_export(store_, stored), storage::Error);
  ASSERT_THAT(exports(), SizeIs(1));
  EXPECT_FALSE(exports()[0].has_manifest);
}

TEST_F(ExportMetadata, OneAtATimeAndNotWhileTheProgramStops) {
  make_account();
  scratch_.database().transact([&](Transaction& tx) {
    metadata::DumpReader(tx).try_lock();
    EXPECT_EQ(std::get<NoExport>(run()), NoExport::busy);
  });
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(std::get<NoExport>(run(true, stop.get_token())), NoExport::stopped);
  EXPECT_THAT(exports(), SizeIs(0));
}

TEST_F(ExportMetadata, TheCollectorLeavesItAlone) {
  make_account();
  exported();
  const auto before = memory_.object_count();
  collect_garbage(scratch_.database(), store_, {}, {});
  EXPECT_EQ(memory_.object_count(), before);
}

TEST_F(ExportMetadata, TheJobCountsWhatCameOfIt) {
  make_account();
  ExportCounts counts;
  const Job job = export_job(scratch_.database(), store_, options_, counts);
  EXPECT_EQ(job.run({}).done, 1);
  EXPECT_EQ(job.run({}).done, 0) << "not due";
  EXPECT_EQ(counts.written.value(), 1U);
  EXPECT_GT(counts.last_rows, 0U);
  EXPECT_GT(counts.last_bytes, 0U);
  EXPECT_GT(counts.last_at, 0);
  store_.add({.operation = test_support::Operation::list});
  EXPECT_THROW(job.run({}), storage::Error);
  EXPECT_EQ(counts.failed.value(), 1U);
}

}  // namespace
}  // namespace sftpd::jobs
