#include "metadata/repositories/versions.h"

#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

class VersionsRepository : public MetadataTest {
 protected:
  VersionsRepository() : file(make(root, "file").id) {}

  Version load(VersionId id) {
    auto version = in([&](Repositories& r) { return r.versions.load(account, id); });
    EXPECT_TRUE(version);
    return version.value_or(Version{});
  }
  std::optional<ErrorCode> publish_code(const Publication& publication) {
    return code_of([&](Repositories& r) { r.versions.publish(account, publication); });
  }

  NodeId file;
};

TEST_F(VersionsRepository, OneWholeObject) {
  const ObjectId object = reserve("the/key");
  Publication publication = whole(file, object, 1000);
  publication.sha256 = hash_of(1);
  publication.mime = "image/jpeg";
  publication.finished[0].sha256 = hash_of(1);
  publication.finished[0].crc32c = 0xFFFF'FFFE;
  publication.attributes = {
      .mode = 0604, .uid = {}, .gid = {}, .atime = {}, .mtime = Time{microseconds{5}}};
  const auto result = publish(publication);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->node, file);
  const Node node = *find(file);
  EXPECT_EQ(node.version, result->version);
  EXPECT_EQ(node.size, 1000U);
  EXPECT_EQ(node.mode, 0604U);
  EXPECT_EQ(node.mtime, Time{microseconds{5}});
  const Version version = load(result->version);
  EXPECT_EQ(version.size, 1000U);
  EXPECT_EQ(version.sha256, hash_of(1));
  EXPECT_EQ(version.mime, "image/jpeg");
  ASSERT_EQ(version.extents.size(), 1U);
  const auto& slice = std::get<ObjectSlice>(version.extents[0].source);
  EXPECT_EQ(slice.object, object);
  EXPECT_EQ(slice.key, "the/key");
  EXPECT_EQ(slice.object_size, 1000U);
  EXPECT_EQ(slice.checksums.sha256, hash_of(1));
  EXPECT_EQ(slice.checksums.crc32c, 0xFFFF'FFFE);
  EXPECT_EQ(state_of(object), "live");
  EXPECT_EQ(usage().used_bytes, 1000U);
  EXPECT_EQ(text("SELECT action || ' ' || user_id FROM audit_events"), "publish 1");
}

TEST_F(VersionsRepository, InlineBytesAndHolesAndSlicesComeBackInOrder) {
  const ObjectId object = reserve("key");
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes += static_cast<char>(i);
  Publication publication;
  publication.node = file;
  publication.size = 10'000'000'000;
  publication.extents = {{0, 3, std::string("a\0b", 3)},
                         {10, 50, ObjectSlice{object, "", 7, 0}},
                         {60, 256, all_bytes},
                         {5'000'000'000, 1, std::string("z")}};
  publication.finished = {{object, 57, std::nullopt, "\"quoted,{etag}\\\"", ""}};
  const auto result = publish(publication);
  ASSERT_TRUE(result);
  const Version version = load(result->version);
  EXPECT_EQ(version.size, 10'000'000'000U);
  EXPECT_EQ(version.sha256, std::nullopt);
  ASSERT_EQ(version.extents.size(), 4U);
  EXPECT_EQ(std::get<std::string>(version.extents[0].source), std::string("a\0b", 3));
  EXPECT_EQ(std::get<ObjectSlice>(version.extents[1].source).offset, 7U);
  EXPECT_EQ(std::get<ObjectSlice>(version.extents[1].source).object_size, 57U);
  EXPECT_EQ(std::get<ObjectSlice>(version.extents[1].source).checksums.crc32c, std::nullopt);
  EXPECT_EQ(std::get<std::string>(version.extents[2].source), all_bytes);
  EXPECT_EQ(version.extents[3].offset, 5'000'000'000U);
  EXPECT_EQ(std::get<std::string>(version.extents[3].source), "z");
  EXPECT_EQ(text("SELECT etag FROM objects"), "\"quoted,{etag}\\\"");
}

TEST_F(VersionsRepository, EmptyContentIsAVersionWithoutExtents) {
  publish_new(file, "key", 10);
  const auto result = publish({.node = file,
                               .file = {},
                               .size = 0,
                               .sha256 = {},
                               .mime = "",
                               .extents = {},
                               .finished = {},
                               .attributes = {},
                               .incomplete = true,
                               .user = {}});
  ASSERT_TRUE(result);
  EXPECT_TRUE(load(result->version).extents.empty());
  EXPECT_EQ(find(file)->size, 0U);
  EXPECT_TRUE(find(file)->incomplete);
  EXPECT_EQ(usage().used_bytes, 0U);
}

TEST_F(VersionsRepository, AnUnknownVersionIsNoVersion) {
  EXPECT_FALSE(in([&](Repositories& r) { return r.versions.load(account, VersionId{99999}); }));
}

TEST_F(VersionsRepository, AnEditSharesTheOldObject) {
  const ObjectId base = reserve("base");
  publish(whole(file, base, 1000));
  const ObjectId edit = reserve("edit");
  Publication publication;
  publication.node = file;
  publication.size = 1000;
  publication.extents = {{0, 400, ObjectSlice{base, "", 0, 0}},
                         {400, 100, ObjectSlice{edit, "", 0, 0}},
                         {500, 500, ObjectSlice{base, "", 500, 0}}};
  publication.finished = {{edit, 100, std::nullopt, "", ""}};
  const auto result = publish(publication);
  ASSERT_TRUE(result);
  EXPECT_EQ(load(result->version).extents.size(), 3U);
  EXPECT_EQ(usage().used_bytes, 1000U);
  EXPECT_EQ(in([](Repositories& r) { return r.versions.prune(seconds{0}, 100); }), 1);
  EXPECT_EQ(state_of(base), "live") << "the new version still names it";
}

/// It is sent without BEGIN and COMMIT: a second statement would be a second transaction.
TEST_F(VersionsRepository, PublishingIsOneStatement) {
  execute(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
      " $$ BEGIN RAISE 'a version is changed after it was published'; END $$;"
      " CREATE TRIGGER refuse BEFORE UPDATE ON versions FOR EACH ROW EXECUTE FUNCTION refuse()");
  Publication publication = whole(file, reserve("key"), 100);
  publication.extents.push_back({100, 3, std::string("abc")});
  publication.size = 103;
  EXPECT_NO_THROW(scratch.database().execute(
      [&](Transaction& tx) { return Versions(tx).publish(account, publication); }));
  execute("DROP FUNCTION refuse() CASCADE");  // The next test gets the same schema.
  EXPECT_EQ(text("SELECT flatten_at = created_at FROM versions"), "t");
}

TEST_F(VersionsRepository, ARemovedNodeTakesNoContent) {
  in([&](Repositories& r) { return r.nodes.remove(account, file); });
  const ObjectId object = reserve("key");
  EXPECT_FALSE(publish(whole(file, object, 5)));
  EXPECT_EQ(state_of(object), "staging");
}

TEST_F(VersionsRepository, AnObjectThatTheCollectorHasIsLost) {
  const ObjectId object = reserve("key", seconds{0});
  in([](Repositories& r) { return r.objects.claim_for_deletion(seconds{0}, seconds{0}, 10); });
  EXPECT_EQ(publish_code(whole(file, object, 5)), ErrorCode::lease_lost);
  EXPECT_EQ(find(file)->version, std::nullopt);
  Publication shared = whole(file, object, 5);
  shared.finished.clear();
  EXPECT_EQ(publish_code(shared), ErrorCode::lease_lost);
}

TEST_F(VersionsRepository, AnExtentMustLieInALiveObject) {
  const ObjectId object = reserve("key");
  publish(whole(file, object, 100));
  Publication publication = whole(file, object, 101);
  publication.finished.clear();
  EXPECT_EQ(publish_code(publication), ErrorCode::lease_lost) << "past the object's end";
  publication = whole(file, reserve("never finished"), 5);
  publication.finished.clear();
  EXPECT_EQ(publish_code(publication), ErrorCode::lease_lost);
  publication = whole(file, ObjectId{99999}, 5);
  publication.finished.clear();
  EXPECT_EQ(publish_code(publication), ErrorCode::lease_lost);
  EXPECT_EQ(publish_code(whole(file, object, 100)), ErrorCode::lease_lost) << "finished twice";
}

TEST_F(VersionsRepository, ExtentsAreOrderedAndInsideTheFile) {
  const auto code_with = [&](std::vector<Extent> extents) {
    Publication publication;
    publication.node = file;
    publication.size = 10;
    publication.extents = std::move(extents);
    return publish_code(publication);
  };
  EXPECT_EQ(code_with({{0, 2, std::string("ab")}, {1, 1, std::string("c")}}), ErrorCode::invalid);
  EXPECT_EQ(code_with({{9, 2, std::string("ab")}}), ErrorCode::invalid);
  EXPECT_EQ(code_with({{0, 0, std::string("")}}), ErrorCode::invalid);
  EXPECT_EQ(code_with({{0, 3, std::string("ab")}}), ErrorCode::invalid);
  EXPECT_EQ(code_with({{8, 2, std::string("ab")}}), std::nullopt);
}

TEST_F(VersionsRepository, OnlyAFileHasContents) {
  EXPECT_EQ(publish_code(whole(root, reserve("key"), 5)), ErrorCode::invalid);
}

TEST_F(VersionsRepository, TheQuotaStopsGrowthOnly) {
  in([&](Repositories& r) { r.accounts.set_quota(account, 100); });
  publish_new(file, "a", 100);
  const Node other = make(root, "other");
  EXPECT_EQ(publish_code(whole(other.id, reserve("b"), 1)), ErrorCode::quota_exceeded);
  in([&](Repositories& r) { r.accounts.set_quota(account, 50); });
  EXPECT_EQ(publish_code(whole(file, reserve("c"), 90)), std::nullopt) << "it shrinks";
  EXPECT_EQ(publish_code(whole(file, reserve("d"), 91)), ErrorCode::quota_exceeded);
  EXPECT_EQ(usage().used_bytes, 90U);
}

TEST_F(VersionsRepository, CountersThatAreFullRefuseMoreAsAQuotaDoes) {
  execute("UPDATE account_usage SET used_bytes = 9223372036854775807");
  EXPECT_EQ(publish_code(whole(file, reserve("a"), 1)), ErrorCode::quota_exceeded);
  EXPECT_EQ(usage().used_bytes, 9223372036854775807U);
}

TEST_F(VersionsRepository, AFinishedObjectThatNothingNamesIsDead) {
  const ObjectId object = reserve("superfluous");
  Publication publication;
  publication.node = file;
  publication.size = 2;
  publication.extents = {{0, 2, std::string("ab")}};
  publication.finished = {{object, 10, std::nullopt, "", ""}};
  ASSERT_TRUE(publish(publication));
  EXPECT_EQ(state_of(object), "dead");
}

TEST_F(VersionsRepository, PruneKeepsNothingThatWasReplacedWithinAMinute) {
  const VersionId short_lived = publish_new(file, "first", 10);
  const VersionId long_lived = publish_new(file, "second", 20);
  const VersionId removed = publish_new(file, "third", 30);
  in([&](Repositories& r) { return r.nodes.remove(account, file); });
  const auto prune = [&] {
    return in([&](Repositories& r) { return r.versions.prune(seconds{3600}, 100); });
  };
  EXPECT_EQ(prune(), 0) << "somebody may just read it";
  scratch.execute(
      "UPDATE versions SET created_at = created_at - interval '2 minutes',"
      " replaced_at = replaced_at - interval '2 minutes'");
  scratch.execute("UPDATE versions SET created_at = created_at - interval '1 minute' WHERE id = " +
                  std::to_string(long_lived.value));
  EXPECT_EQ(prune(), 1);
  const auto is_there = [&](VersionId id) {
    return in([&](Repositories& r) { return r.versions.load(account, id); }).has_value();
  };
  EXPECT_FALSE(is_there(short_lived));
  EXPECT_TRUE(is_there(long_lived));
  EXPECT_TRUE(is_there(removed));
}

TEST_F(VersionsRepository, PruneDeletesWhatWasReplacedAndMarksObjectsDead) {
  const ObjectId first = reserve("first");
  const VersionId old_version = publish(whole(file, first, 10))->version;
  const VersionId current = publish_new(file, "second", 20);
  const auto prune = [&](seconds keep, int limit) {
    return in([&](Repositories& r) { return r.versions.prune(keep, limit); });
  };
  EXPECT_EQ(prune(seconds{3600}, 100), 0) << "too young";
  EXPECT_EQ(prune(seconds{0}, 100), 1);
  EXPECT_FALSE(in([&](Repositories& r) { return r.versions.load(account, old_version); }));
  EXPECT_EQ(load(current).extents.size(), 1U);
  EXPECT_EQ(state_of(first), "dead");
  in([&](Repositories& r) { return r.nodes.remove(account, file); });
  EXPECT_EQ(prune(seconds{0}, 100), 1);
  EXPECT_EQ(text("SELECT count(*) FROM extents"), "0");
  EXPECT_EQ(text("SELECT count(*) FROM objects WHERE state = 'dead'"), "2");
}

TEST_F(VersionsRepository, PruneStopsAtItsLimit) {
  for (int i = 0; i < 5; ++i) publish_new(file, "key" + std::to_string(i), 10);
  const auto prune = [&] {
    return in([](Repositories& r) { return r.versions.prune(seconds{0}, 3); });
  };
  EXPECT_EQ(prune(), 3);
  EXPECT_EQ(prune(), 1);
  EXPECT_EQ(prune(), 0);
}

TEST_F(VersionsRepository, ADeadObjectLivesAgainWhenShared) {
  const ObjectId object = reserve("key");
  publish(whole(file, object, 10));
  publish_new(file, "other", 10);
  in([](Repositories& r) { return r.versions.prune(seconds{0}, 100); });
  EXPECT_EQ(state_of(object), "dead");
  Publication again = whole(file, object, 10);
  again.finished.clear();
  ASSERT_TRUE(publish(again));
  EXPECT_EQ(state_of(object), "live");
  EXPECT_TRUE(in([](Repositories& r) {
                return r.objects.claim_for_deletion(seconds{0}, seconds{0}, 10);
              }).empty());
}

}  // namespace
}  // namespace metadata
