#include "metadata/repositories/objects.h"

#include <algorithm>

#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class ObjectsRepository : public MetadataTest {
 protected:
  std::vector<ObjectRow> claim(seconds keep_dead, seconds grace, int limit = 100) {
    return in(
        [&](Repositories& r) { return r.objects.claim_for_deletion(keep_dead, grace, limit); });
  }
  static std::vector<std::string> keys_of(const std::vector<ObjectRow>& rows) {
    std::vector<std::string> keys;
    for (const auto& row : rows) keys.push_back(row.key);
    return keys;
  }
  void mark_gone(const std::vector<ObjectRow>& rows) {
    in([&](Repositories& r) { r.objects.mark_gone(rows); });
  }
};

TEST_F(ObjectsRepository, ReserveReturnsIdsInTheOrderOfTheKeys) {
  const auto ids = in([&](Repositories& r) {
    return r.objects.reserve(account, {"z", "a", "m"}, seconds{60});
  });
  ASSERT_EQ(ids.size(), 3U);
  const auto key_of = [&](ObjectId id) {
    return text("SELECT key FROM objects WHERE id = " + std::to_string(id.value));
  };
  EXPECT_EQ(key_of(ids[0]), "z");
  EXPECT_EQ(key_of(ids[1]), "a");
  EXPECT_EQ(key_of(ids[2]), "m");
  EXPECT_EQ(state_of(ids[0]), "staging");
  EXPECT_TRUE(
      in([&](Repositories& r) { return r.objects.reserve(account, {}, seconds{1}); }).empty());
}

TEST_F(ObjectsRepository, AKeyIsNeverReused) {
  reserve("key");
  EXPECT_EQ(code_of([&](Repositories& r) { r.objects.reserve(account, {"key"}, seconds{1}); }),
            ErrorCode::already_exists);
}

TEST_F(ObjectsRepository, OnlyStagingObjectsAreRenewed) {
  const ObjectId lapsed = reserve("lapsed", seconds{0});
  const ObjectId live = reserve("live");
  publish(whole(make(root, "f").id, live, 1));
  EXPECT_EQ(in([&](Repositories& r) {
              return r.objects.renew(account, {lapsed, live, ObjectId{99999}}, seconds{60});
            }),
            1);
  EXPECT_THAT(claim(seconds{0}, seconds{0}), IsEmpty()) << "renewed in time";
}

TEST_F(ObjectsRepository, TheUploadIdIsNotedWhileStaging) {
  const ObjectId object = reserve("key", seconds{0});
  in([&](Repositories& r) { r.objects.set_upload(account, object, "upload-1"); });
  const auto claimed = claim(seconds{0}, seconds{0});
  ASSERT_EQ(claimed.size(), 1U);
  EXPECT_EQ(claimed[0].upload, "upload-1");
  EXPECT_EQ(claimed[0].state, "reaping");
  EXPECT_EQ(code_of([&](Repositories& r) { r.objects.set_upload(account, object, "2"); }),
            ErrorCode::lease_lost);
}

TEST_F(ObjectsRepository, DiscardedOnesAreClaimedAtOnce) {
  const ObjectId object = reserve("discarded");
  const ObjectId live = reserve("live");
  publish(whole(make(root, "f").id, live, 1));
  in([&](Repositories& r) { r.objects.discard(account, {object, live}); });
  EXPECT_EQ(state_of(object), "dead");
  EXPECT_EQ(state_of(live), "live");
  EXPECT_THAT(keys_of(claim(seconds{7 * 86400}, seconds{3600})), ElementsAre("discarded"));
}

TEST_F(ObjectsRepository, ADuplicateIsALiveObjectOfThisAccount) {
  const ObjectId object = reserve("key");
  const auto find = [&](AccountId of, int hash, std::uint64_t size) {
    return in([&](Repositories& r) { return r.objects.find_duplicate(of, hash_of(hash), size); });
  };
  Publication publication = whole(make(root, "f").id, object, 10);
  publication.finished[0].sha256 = hash_of(1);
  EXPECT_FALSE(find(account, 1, 10));
  publish(publication);
  ASSERT_TRUE(find(account, 1, 10));
  EXPECT_EQ(find(account, 1, 10)->id, object);
  EXPECT_EQ(find(account, 1, 10)->etag, "etag");
  EXPECT_FALSE(find(account, 1, 11));
  EXPECT_FALSE(find(account, 2, 10));
  EXPECT_FALSE(find(in([](Repositories& r) { return r.accounts.create(std::nullopt); }), 1, 10));
}

TEST_F(ObjectsRepository, DeadAndAbandonedOnesAreClaimedInTheirTime) {
  const ObjectId dead = reserve("dead");
  const Node file = make(root, "f");
  publish(whole(file.id, dead, 1));
  publish_new(file.id, "live", 1);
  in([](Repositories& r) { return r.versions.prune(seconds{0}, 10); });
  reserve("abandoned", seconds{-100});
  reserve("leased");
  EXPECT_THAT(claim(seconds{3600}, seconds{3600}), IsEmpty());
  EXPECT_THAT(keys_of(claim(seconds{3600}, seconds{50})), ElementsAre("abandoned"));
  EXPECT_THAT(keys_of(claim(seconds{0}, seconds{3600})), ElementsAre("dead"));
  EXPECT_THAT(claim(seconds{0}, seconds{3600}), IsEmpty()) << "both are being deleted";
}

TEST_F(ObjectsRepository, AClaimWhoseProcessDiedIsClaimedAgain) {
  reserve("key", seconds{0});
  EXPECT_EQ(claim(seconds{0}, seconds{0}).size(), 1U);
  EXPECT_THAT(keys_of(claim(seconds{0}, seconds{0})), ElementsAre("key"));
}

TEST_F(ObjectsRepository, ATombstoneIsClaimedOnceMoreAfterADayAndThenForgotten) {
  reserve("key", seconds{0});
  const auto first = claim(seconds{0}, seconds{0});
  mark_gone(first);
  EXPECT_EQ(text("SELECT state FROM objects"), "gone");
  EXPECT_THAT(claim(seconds{0}, seconds{0}), IsEmpty());
  execute("UPDATE objects SET gone_at = gone_at - interval '25 hours'");
  const auto second = claim(seconds{0}, seconds{0});
  EXPECT_THAT(keys_of(second), ElementsAre("key"));
  mark_gone(second);
  EXPECT_EQ(text("SELECT count(*) FROM objects"), "0");
  mark_gone(second);
}

TEST_F(ObjectsRepository, TheLimitHoldsOverAllStates) {
  for (int i = 0; i < 5; ++i) reserve("lapsed" + std::to_string(i), seconds{0});
  std::vector<ObjectId> discarded;
  for (int i = 0; i < 5; ++i) discarded.push_back(reserve("discarded" + std::to_string(i)));
  in([&](Repositories& r) { r.objects.discard(account, discarded); });
  EXPECT_EQ(claim(seconds{0}, seconds{3600}, 3).size(), 3U);
  EXPECT_EQ(claim(seconds{0}, seconds{0}, 100).size(), 7U) << "the three are being deleted";
}

TEST_F(ObjectsRepository, TwoCollectorsShareTheWork) {
  for (int i = 0; i < 10; ++i) reserve("key" + std::to_string(i), seconds{-100});
  std::vector<std::string> keys;
  scratch.database().transact([&](Transaction& first) {
    for (const auto& row : Objects(first).claim_for_deletion(seconds{0}, seconds{60}, 6)) {
      keys.push_back(row.key);
    }
    for (const auto& key : keys_of(claim(seconds{0}, seconds{60}, 100))) keys.push_back(key);
  });
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(keys.size(), 10U);
  EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end()) << "one was claimed twice";
}

TEST_F(ObjectsRepository, ScanAndKnownKeysSeeAllButTombstones) {
  const ObjectId a = reserve("a");
  reserve("b", seconds{0});
  mark_gone(claim(seconds{0}, seconds{0}));
  const ObjectId c = reserve("c");
  const auto scan = [&](AccountId after_account, ObjectId after, int limit) {
    return keys_of(
        in([&](Repositories& r) { return r.objects.scan(after_account, after, limit); }));
  };
  EXPECT_THAT(scan(AccountId{0}, ObjectId{0}, 10), ElementsAre("a", "c"));
  EXPECT_THAT(scan(AccountId{0}, ObjectId{0}, 1), ElementsAre("a"));
  EXPECT_THAT(scan(account, a, 10), ElementsAre("c"));
  EXPECT_THAT(scan(account, c, 10), IsEmpty());
  EXPECT_THAT(in([](Repositories& r) {
                return r.objects.known_keys({"a", "b", "c", "d"});
              }),
              UnorderedElementsAre("a", "c"));
  EXPECT_THAT(in([](Repositories& r) { return r.objects.known_keys({}); }), IsEmpty());
}

}  // namespace
}  // namespace metadata
