#include "sftpd/admin/rebuild/rebuild.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "metadata/migrations/migrator.h"
#include "metadata/repositories/accounts.h"
#include "metadata/repositories/nodes.h"
#include "metadata/repositories/users.h"
#include "sftpd/admin/fsck/database_scan.h"
#include "sftpd/admin/fsck/store_scan.h"
#include "sftpd/jobs/exports/catalog.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/vfs.h"
#include "tests/support/metadata/scratch_database.h"
#include "tests/support/metadata/temporary_directory.h"

namespace sftpd::admin::rebuild {
namespace {

using metadata::Transaction;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::ScratchDatabase;
namespace stdfs = std::filesystem;

/// A server with one user, its store in a directory, and the new database that comes after it.
class Rebuild : public testing::Test {
 protected:
  Rebuild() {
    files_options_.inline_max = 1024;
    files_options_.key_prefix = "pre";
    const auto user = database().transact([](Transaction& tx) {
      const auto account = metadata::Accounts(tx).create(1'000'000);
      return metadata::Users(tx).create(account, "anna", "$argon2id$secret");
    });
    identity_ = {user.account, user.id, user.name, 1000, 1000};
  }

  metadata::Database& database() { return scratch_.database(); }
  storage::ObjectStore& store() { return context_.store(); }

  Context context_of(ScratchDatabase& scratch) {
    return {"none", "", [this, url = scratch.url()](const std::string&) {
              Options options;
              options.backends.database.url = url;
              storage::local::LocalObjectStore::Options local;
              local.directory = directory_.path() + "/store";
              options.backends.store = local;
              options.key_prefix = "pre";
              return options;
            }};
  }

  void put(const std::string& path, const std::string& bytes) {
    vfs::FileSystem files(database(), store(), files_options_);
    vfs::Vfs tree(files, identity_);
    const auto handle = tree.open_file(path, {.write = true, .create = true, .truncate = true}, {});
    handle->write(0, storage::Payload::copy_of(bytes)).get();
    handle->close().get();
  }

  static std::string read(vfs::Vfs& tree, const std::string& path) {
    const auto handle = tree.open_file(path, {.read = true}, {});
    return std::string(handle->read(0, 1 << 20).get().text());
  }

  std::string export_now() {
    jobs::ExportOptions options;
    options.key_prefix = "pre";
    return std::get<jobs::Exported>(jobs::export_metadata(database(), store(), options, true, {}))
        .directory;
  }

  std::string run(const std::string& wanted = "") {
    testing::internal::CaptureStdout();
    try {
      rebuild(new_context_, wanted);
    } catch (const std::exception& failure) {
      testing::internal::GetCapturedStdout();
      return std::string("failed: ") + failure.what();
    }
    return testing::internal::GetCapturedStdout();
  }

  /// What ordinary fsck finds wrong in the new database.
  std::vector<std::string> problems() {
    std::vector<std::string> lines;
    fsck::Report report([&](const std::string& line) { lines.push_back(line); });
    fsck::check_rows(fresh_.database(), report);
    fsck::check_objects(fresh_.database(), store(), {.read_contents = true}, report);
    fsck::find_unknown(fresh_.database(), store(), "pre", std::chrono::seconds(0), report);
    return lines;
  }

  std::vector<std::string> lost_and_found() {
    return fresh_.database().query([&](Transaction& tx) {
      metadata::Nodes nodes(tx);
      std::vector<std::string> names;
      const auto root = metadata::Accounts(tx).root(identity_.account);
      const auto directory = nodes.find_child(identity_.account, root, "lost+found");
      if (!directory) return names;
      for (const auto& node : nodes.list(identity_.account, directory->id, "", 100)) {
        names.push_back(node.name);
      }
      return names;
    });
  }

  /// The file of the store that has an export's file.
  stdfs::path stored(const std::string& key) { return directory_.path() + "/store/objects/" + key; }

  std::string tables_of_new_database() {
    return fresh_.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
  }

  tests::TemporaryDirectory directory_;
  ScratchDatabase scratch_;
  ScratchDatabase fresh_{ScratchDatabase::Empty{}};
  Context context_ = context_of(scratch_);
  Context new_context_ = context_of(fresh_);
  vfs::FileSystem::Options files_options_;
  vfs::Identity identity_;
};

const std::string large(200'000, 'l');

TEST_F(Rebuild, EverythingComesBack) {
  put("/small", "inline");
  put("/Größe 日本", large);
  export_now();
  EXPECT_THAT(run(), AllOf(HasSubstr("restored 1 users, 3 files"), Not(HasSubstr("lost+found"))));
  EXPECT_THAT(problems(), IsEmpty());
  vfs::FileSystem files(fresh_.database(), store(), files_options_);
  vfs::Vfs tree(files, identity_);
  EXPECT_EQ(read(tree, "/small"), "inline");
  EXPECT_EQ(read(tree, "/Größe 日本"), large);
  const auto user = fresh_.database().query(
      [](Transaction& tx) { return metadata::Users(tx).find("anna").value(); });
  EXPECT_EQ(user.password_hash, "$argon2id$secret");
  EXPECT_EQ(fresh_.execute("SELECT used_bytes FROM account_totals"), std::to_string(200'006));
  EXPECT_THAT(lost_and_found(), IsEmpty());
}

TEST_F(Rebuild, WhatWasStoredLaterIsInLostAndFound) {
  put("/photo.jpg", large);
  export_now();
  put("/photo.jpg", std::string(300'000, 'n'));
  scratch_.execute("UPDATE accounts SET quota_bytes = NULL");
  put("/new", std::string(900'000, 'q'));  // More than the quota of the export allows.
  EXPECT_THAT(run(), HasSubstr("2 objects that were stored after the export"));
  const auto names = lost_and_found();
  ASSERT_EQ(names.size(), 2U);
  EXPECT_THAT(names, testing::Contains(testing::MatchesRegex(
                         "node-[0-9]+_[0-9]+-[0-9]+-[0-9]+T[0-9]+Z_object-[0-9]+_photo.jpg")));
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_EQ(fresh_.execute("SELECT quota_bytes FROM accounts"), "1000000") << "as it was";
  vfs::FileSystem files(fresh_.database(), store(), files_options_);
  vfs::Vfs tree(files, identity_);
  EXPECT_EQ(read(tree, "/photo.jpg"), large) << "as it was at the export";
  std::string all;
  for (const std::string& name : names) all += read(tree, "/lost+found/" + name).substr(0, 1);
  EXPECT_THAT(all, testing::AnyOf("nq", "qn"));
}

TEST_F(Rebuild, AnUploadThatWasUnderWayIsNotLost) {
  put("/a", large);
  scratch_.execute("UPDATE objects SET state = 'staging', lease_until = now()");
  scratch_.execute(
      "DELETE FROM extents; UPDATE nodes SET version_id = NULL, size = 0;"
      "DELETE FROM versions; UPDATE account_usage SET used_bytes = 0");
  export_now();
  EXPECT_THAT(run(), HasSubstr("1 objects that were stored after"));
  EXPECT_THAT(lost_and_found(), testing::SizeIs(1));
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(Rebuild, SmallFilesThatMovedToTheStoreSinceAreNoSecondFiles) {
  put("/small", "inline");
  export_now();
  {
    vfs::FileSystem files(database(), store(), files_options_);
    ASSERT_EQ(files.destage(std::chrono::seconds(0), 10), 1);
  }
  EXPECT_THAT(run(), HasSubstr("1 more have what their files contain anyway"));
  EXPECT_THAT(lost_and_found(), IsEmpty());
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(Rebuild, ObjectsOfNobodyAreReportedAndStay) {
  export_now();
  storage::PutOptions options;
  options.user_metadata["oid"] = "7";
  store().put({"pre/v1/aa/unlabelled"}, storage::Payload::copy_of("x"), options).get();
  options.user_metadata["account"] = "4711";
  options.user_metadata["created"] = "2026-11-20T03:00:00Z";
  store().put({"pre/v1/aa/stranger"}, storage::Payload::copy_of("x"), options).get();
  EXPECT_THAT(run(), AllOf(HasSubstr("2 objects belong to no account"), HasSubstr("unlabelled"),
                           HasSubstr("stranger")));
  EXPECT_THAT(problems(), testing::SizeIs(2));
}

TEST_F(Rebuild, MissingObjectsAreFsckSMatter) {
  put("/a", large);
  export_now();
  const std::string key = scratch_.execute("SELECT key FROM objects");
  store().remove({key}).get();
  run();
  EXPECT_THAT(problems(), ElementsAre(AllOf(HasSubstr("is missing"), HasSubstr("/a"))));
}

TEST_F(Rebuild, DeadObjectsStayDead) {
  put("/a", large);
  {
    vfs::FileSystem files(database(), store(), files_options_);
    vfs::Vfs(files, identity_).remove_file("/a");
  }
  scratch_.execute(
      "UPDATE objects SET state = 'dead', dead_at = now();"
      "DELETE FROM extents; DELETE FROM versions");
  export_now();
  run();
  EXPECT_EQ(fresh_.execute("SELECT state FROM objects"), "dead");
  EXPECT_THAT(lost_and_found(), IsEmpty());
}

TEST_F(Rebuild, ADamagedFileIsAnErrorAndChangesNothing) {
  put("/a", large);
  const std::string directory = export_now();
  const auto manifest = jobs::read_manifest(store(), jobs::list_exports(store(), "pre").at(0));
  const auto& file = manifest.files.back();
  const std::string key = directory + "/" + file.name;
  auto bytes = std::string(store().get({key}, {0, 1 << 20}).get().text());
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  storage::PutOptions options;
  options.user_metadata["oid"] = key;
  store().put({key}, storage::Payload::copy_of(bytes), options).get();
  EXPECT_THAT(run(), AllOf(HasSubstr("failed: "), HasSubstr(file.name), HasSubstr("is damaged")));
  EXPECT_EQ(tables_of_new_database(), "0");
  store().remove({key}).get();
  EXPECT_THAT(run(), HasSubstr("cannot be read"));
  EXPECT_EQ(tables_of_new_database(), "0");
}

TEST_F(Rebuild, AnExportWithoutManifestIsNone) {
  put("/a", "old");
  export_now();
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  put("/b", "new");
  const std::string second = export_now();
  store().remove({second + "/manifest"}).get();
  EXPECT_THAT(run(), HasSubstr("restored 1 users, 2 files"));
}

TEST_F(Rebuild, AnExportCanBeChosen) {
  put("/a", "old");
  const std::string first = export_now();
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  put("/b", "new");
  export_now();
  EXPECT_THAT(run("nonsense"), HasSubstr("there is no whole export nonsense. There are: 2"));
  EXPECT_THAT(run(first + "/manifest"), HasSubstr("restored 1 users, 2 files"));
}

TEST_F(Rebuild, ExportsOfTwoDatabasesNeedAChoice) {
  export_now();
  scratch_.execute("UPDATE schema_migrations SET applied_at = applied_at + interval '1 hour'");
  const std::string second = export_now();
  scratch_.execute("UPDATE schema_migrations SET applied_at = applied_at - interval '1 hour'");
  EXPECT_THAT(run(), HasSubstr("more than one database"));
  EXPECT_THAT(run(second), HasSubstr("restored"));
}

TEST_F(Rebuild, WithoutAnExportItSaysSo) {
  EXPECT_THAT(run(), HasSubstr("has no metadata export below pre/metadata/"));
}

TEST_F(Rebuild, ADatabaseInUseIsRefused) {
  export_now();
  fresh_.database();
  metadata::migrate(fresh_.database());
  fresh_.database().transact(
      [](Transaction& tx) { return metadata::Accounts(tx).create(std::nullopt); });
  EXPECT_THAT(run(), HasSubstr("the database is not empty"));
  EXPECT_EQ(fresh_.execute("SELECT count(*) FROM accounts"), "1");
}

TEST_F(Rebuild, ItCanBeLostAndMadeAgain) {
  put("/a", large);
  export_now();
  run();
  jobs::ExportOptions options;
  options.key_prefix = "pre";
  options.keep = 1;
  jobs::export_metadata(fresh_.database(), store(), options, true, {});
  EXPECT_THAT(jobs::list_exports(store(), "pre"), testing::SizeIs(1)) << "the same database";
}

}  // namespace
}  // namespace sftpd::admin::rebuild
