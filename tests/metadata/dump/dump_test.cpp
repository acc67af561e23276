#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "metadata/dump/dump_loader.h"
#include "metadata/dump/dump_reader.h"
#include "metadata/migrations/embedded.h"
#include "metadata/migrations/migrator.h"
#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;
using tests::ScratchDatabase;

struct Dump {
  DumpHead head;
  std::map<std::string, std::vector<std::string>> rows;  ///< by table
};

Dump dump(Database& database) {
  return database.transact([](Transaction& tx) {
    DumpReader reader(tx);
    EXPECT_TRUE(reader.try_lock());
    Dump read{.head = reader.head(), .rows = {}};
    for (const DumpedRows& rows : dumped_rows()) {
      reader.read(rows, [&](std::string_view row) { read.rows[rows.table].emplace_back(row); });
    }
    return read;
  });
}

void load(Database& database, const Dump& from) {
  database.transact([&](Transaction& tx) {
    DumpLoader loader(tx);
    loader.begin(from.head.schema);
    for (const auto& [table, rows] : from.rows) {
      for (const std::string& row : rows) loader.load(table, "[" + row + "]");
    }
    loader.finish(from.head);
  });
}

/// What all tables hold, as text.
std::string everything(ScratchDatabase& scratch) {
  std::string text;
  for (const std::string& table : dumped_tables()) {
    text += table + ": " +
            scratch.execute(
                "SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')"
                " FROM " +
                table + " t") +
            "\n";
  }
  return text;
}

std::string foreign_keys(ScratchDatabase& scratch) {
  return scratch.execute(
      "SELECT string_agg(conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid),"
      " E'\\n' ORDER BY conrelid::regclass::text, conname) FROM pg_constraint WHERE contype = 'f'");
}

class DumpTest : public MetadataTest {
 protected:
  DumpTest() {
    in([&](Repositories& r) {
      const User user = r.users.create(account, "anna", "$argon2id$hash");
      r.users.add_key(user.id, {.id = 0,
                                .type = "ssh-ed25519",
                                .blob_base64 = "AAAA",
                                .fingerprint = "SHA256:x",
                                .comment = "an \"old\" \\ laptop\n",
                                .created_at = {}});
      r.accounts.set_quota(account, 1'000'000);
    });
    const Node folder = make_directory(root, "日本 \"旅行\"\\\t");
    make(folder.id, "link", NodeKind::symlink);
    const Node file = make(folder.id, "file");
    publish_new(file.id, "v1/00/1", 100);
    Publication edited = whole(file.id, reserve("v1/00/2"), 50);
    edited.size = 60;
    edited.extents.push_back({50, 10, std::string("\0\xff'\\\"\n1234", 10)});
    publish(edited);
    const ObjectId running = reserve("v1/00/3");
    in([&](Repositories& r) {
      r.uploads.begin(account, running, file.id, file.file, UserId{1}, "upload-1", 0, 7,
                      std::nullopt);
    });
    const Node other = make(folder.id, "other");
    publish_new(other.id, "v1/00/4", 5);
    in([&](Repositories& r) { r.nodes.replace(account, other.id, file.id); });
  }
};

TEST_F(DumpTest, EveryTableIsDumped) {
  std::vector<std::string> names = dumped_tables();
  names.emplace_back("schema_migrations");
  std::string all;
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) all += name + " ";
  EXPECT_EQ(text("SELECT string_agg(tablename || ' ', '' ORDER BY tablename COLLATE \"C\")"
                 " FROM pg_tables WHERE schemaname = 'public'"),
            all);
  const Dump read = dump(scratch.database());
  for (const std::string& table : dumped_tables()) {
    EXPECT_TRUE(read.rows.contains(table)) << table << ": a row of each makes the next test good";
  }
}

TEST_F(DumpTest, WhatIsLoadedIsWhatWasRead) {
  const Dump read = dump(scratch.database());
  ScratchDatabase other{ScratchDatabase::Empty{}};
  load(other.database(), read);
  EXPECT_EQ(everything(other), everything(scratch));
  EXPECT_EQ(foreign_keys(other), foreign_keys(scratch));
  EXPECT_EQ(dump(other.database()).head.database, read.head.database);
  EXPECT_EQ(pending(other.database()).size(), 0U);
}

TEST_F(DumpTest, IdsGoOnFarBehindThoseThatWereGivenOut) {
  const Dump read = dump(scratch.database());
  ScratchDatabase other{ScratchDatabase::Empty{}};
  load(other.database(), read);
  const auto account_id =
      other.database().transact([](Transaction& tx) { return Accounts(tx).create(std::nullopt); });
  EXPECT_GT(account_id.value, account.value + 1'000'000);
  EXPECT_GT(std::stoll(other.execute("SELECT nextval(pg_get_serial_sequence('nodes', 'id'))")),
            std::stoll(text("SELECT max(id) FROM nodes")) + 1'000'000);
}

TEST_F(DumpTest, ASnapshotIsOneMomentAndChangesNothing) {
  scratch.database().transact([&](Transaction& tx) {
    DumpReader reader(tx);
    ASSERT_TRUE(reader.try_lock());
    make(root, "later");
    int later = 0;
    reader.read({"nodes", "name = 'later'", 10}, [&](std::string_view) { ++later; });
    EXPECT_EQ(later, 0);
    const bool second = scratch.database().transact(
        [](Transaction& other) { return DumpReader(other).try_lock(); });
    EXPECT_FALSE(second) << "one at a time";
  });
}

TEST_F(DumpTest, RowsComeInPages) {
  for (int i = 0; i < 25; ++i) make(root, "page-" + std::to_string(i));
  int rows = 0;
  scratch.database().transact([&](Transaction& tx) {
    DumpReader(tx).read({"nodes", "name LIKE 'page-%'", 10}, [&](std::string_view) { ++rows; });
  });
  EXPECT_EQ(rows, 25);
}

TEST_F(DumpTest, ADatabaseWithRowsIsRefused) {
  const Dump read = dump(scratch.database());
  const std::string before = everything(scratch);
  try {
    load(scratch.database(), read);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid);
    EXPECT_THAT(error.what(), HasSubstr("not empty"));
  }
  EXPECT_EQ(everything(scratch), before);
}

TEST_F(DumpTest, AFailureLeavesNothing) {
  Dump read = dump(scratch.database());
  read.rows["versions"].emplace_back("{\"id\": 0}");
  ScratchDatabase other{ScratchDatabase::Empty{}};
  EXPECT_THROW(load(other.database(), read), Error);
  EXPECT_EQ(other.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
  read.rows.erase("versions");
  EXPECT_THROW(load(other.database(), read), Error) << "extents name versions";
  read.rows["schema_migrations"].emplace_back("{}");
  EXPECT_THROW(load(other.database(), read), Error) << "no table of a dump";
}

TEST_F(DumpTest, AnOlderSchemaIsLoadedAndMigrated) {
  const auto& all = embedded_migrations();
  Dump old;
  ScratchDatabase first{ScratchDatabase::Empty{}};
  first.database().transact(
      [&](Transaction& tx) { migrate_within(tx, "0014_totals_of_any_size"); });
  first.execute(
      "INSERT INTO accounts (id) VALUES (5);"
      "INSERT INTO objects (account_id, key, lease_until) VALUES (5, 'k', now());"
      "INSERT INTO uploads (account_id, object_id, node_id, user_id, file_offset)"
      " SELECT 5, id, 1, 1, 0 FROM objects");
  old = dump(first.database());
  EXPECT_EQ(old.head.schema, "0014_totals_of_any_size");
  ScratchDatabase second{ScratchDatabase::Empty{}};
  load(second.database(), old);
  EXPECT_EQ(second.execute("SELECT max(name) FROM schema_migrations"), all.back().name);
  EXPECT_EQ(second.execute("SELECT failures FROM uploads"), "0") << "a later column's default";
}

TEST_F(DumpTest, TablesThatAreNewerThanTheDumpAreRefused) {
  Dump read = dump(scratch.database());
  read.head.schema = "0014_totals_of_any_size";
  ScratchDatabase other{ScratchDatabase::Empty{}};
  migrate(other.database());
  EXPECT_THROW(load(other.database(), read), Error);
  EXPECT_TRUE(is_known_schema("0014_totals_of_any_size"));
  EXPECT_FALSE(is_known_schema("9999_future"));
}

}  // namespace
}  // namespace metadata
