#include "metadata/repositories/flattening.h"

#include "metadata/repositories/inline_extents.h"
#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

using std::chrono::seconds;

constexpr seconds no_quiet{0};
constexpr seconds hold{600};

class FlatteningRepository : public MetadataTest {
 protected:
  FlatteningRepository() : file(make(root, "file").id) {}

  /// A file of 150 bytes: 100 of a new object, and 50 more.
  ScatteredVersion publish_two(const std::string& key) {
    first = reserve(key + "-1");
    second = reserve(key + "-2");
    Publication publication = whole(file, first, 100);
    publication.size = 150;
    publication.extents.push_back({100, 50, ObjectSlice{second, "", 10, 0}});
    publication.finished.push_back({second, 60, std::nullopt, "etag", ""});
    return {account, file, publish(publication)->version};
  }
  std::vector<ScatteredVersion> claim(seconds quiet = no_quiet, int limit = 10) {
    return in([&](Repositories& r) { return r.flattening.claim(quiet, hold, limit); });
  }
  bool flatten(const ScatteredVersion& scattered, ObjectId object, std::uint64_t size = 150) {
    return in([&](Repositories& r) {
      return r.flattening.replace_extents(scattered,
                                          {object, size, hash_of(7), "flat-etag", "image/png"});
    });
  }
  std::string extent_count() { return text("SELECT count(*) FROM extents"); }

  NodeId file;
  ObjectId first, second;
};

TEST_F(FlatteningRepository, OneIsClaimedWhateverItsAgeButNotFromOthers) {
  const auto scattered = publish_two("two");
  const auto claim_it = [&] {
    return in([&](Repositories& r) { return r.flattening.claim(scattered, hold); });
  };
  EXPECT_TRUE(claim_it());
  EXPECT_FALSE(claim_it());
  EXPECT_TRUE(claim().empty()) << "nor by the job";
  in([&](Repositories& r) { return r.flattening.renew(scattered, seconds{0}); });
  EXPECT_TRUE(claim_it()) << "it was given back";
  in([&](Repositories& r) { return r.flattening.leave(scattered); });
  EXPECT_TRUE(claim_it()) << "though nobody would join it";
  publish_two("newer");
  in([&](Repositories& r) { return r.flattening.renew(scattered, seconds{0}); });
  EXPECT_FALSE(claim_it()) << "the file has other content";
}

TEST_F(FlatteningRepository, OnlyScatteredContentsAreClaimed) {
  publish_new(make(root, "whole").id, "whole", 100);
  Publication small;
  small.node = make(root, "small").id;
  small.size = 3;
  small.extents = {{0, 3, std::string("abc")}};
  publish(small);
  Publication zeros;
  zeros.node = make(root, "zeros").id;
  zeros.size = 1000;
  publish(zeros);
  EXPECT_TRUE(claim().empty());
  const auto scattered = publish_two("two");
  const auto claimed = claim();
  ASSERT_EQ(claimed.size(), 1U);
  EXPECT_EQ(claimed[0].account, account);
  EXPECT_EQ(claimed[0].node, file);
  EXPECT_EQ(claimed[0].version, scattered.version);
}

TEST_F(FlatteningRepository, PartOfAnObjectAndContentWithAGapAreScattered) {
  const ObjectId object = reserve("cut");
  Publication cut = whole(file, object, 100);
  cut.finished[0].size = 200;
  publish(cut);
  EXPECT_EQ(claim().size(), 1U);
  Publication shared = whole(make(root, "shared").id, object, 100);
  shared.finished.clear();
  std::get<ObjectSlice>(shared.extents[0].source).object_size = 200;
  publish(shared);
  EXPECT_EQ(claim().size(), 1U);
  Publication gap = whole(make(root, "gap").id, reserve("gap"), 100);
  gap.size = 101;
  publish(gap);
  EXPECT_EQ(claim().size(), 1U);
}

TEST_F(FlatteningRepository, AClaimHoldsAndYoungOrReplacedOnesAreLeftAlone) {
  const auto scattered = publish_two("a");
  EXPECT_TRUE(claim(seconds{3600}).empty()) << "too young";
  EXPECT_EQ(claim().size(), 1U);
  EXPECT_TRUE(claim().empty()) << "claimed already";
  execute("UPDATE versions SET flatten_at = now() - interval '1 second'");
  EXPECT_EQ(claim().size(), 1U) << "the claim ended";
  EXPECT_TRUE(in([&](Repositories& r) { return r.flattening.renew(scattered, hold); }));
  execute("UPDATE versions SET flatten_at = now() - interval '1 second'");
  publish_new(file, "new", 100);
  EXPECT_TRUE(claim().empty()) << "replaced";
  EXPECT_FALSE(in([&](Repositories& r) { return r.flattening.renew(scattered, hold); }));
}

TEST_F(FlatteningRepository, EachIsClaimedByOneProcess) {
  publish_two("a");
  scratch.database().transact([&](Transaction& tx) {
    EXPECT_EQ(Flattening(tx).claim(no_quiet, hold, 10).size(), 1U);
    EXPECT_TRUE(claim().empty());
  });
}

TEST_F(FlatteningRepository, WhatIsLeftIsNotClaimedAgain) {
  const auto scattered = publish_two("a");
  in([&](Repositories& r) { r.flattening.leave(scattered); });
  EXPECT_TRUE(claim().empty());
}

TEST_F(FlatteningRepository, OneObjectTakesThePlaceOfAll) {
  const auto scattered = publish_two("a");
  const Node before = *find(file);
  const ObjectId object = reserve("flat");
  EXPECT_TRUE(flatten(scattered, object));
  const Node after = *find(file);
  EXPECT_EQ(after.version, before.version);
  EXPECT_EQ(after.size, before.size);
  EXPECT_EQ(after.mtime, before.mtime);
  EXPECT_EQ(after.ctime, before.ctime);
  EXPECT_EQ(text("SELECT count(*) FROM versions"), "1");
  const auto version =
      in([&](Repositories& r) { return r.versions.load(account, scattered.version); });
  ASSERT_EQ(version->extents.size(), 1U);
  const auto& slice = std::get<ObjectSlice>(version->extents[0].source);
  EXPECT_EQ(slice.object, object);
  EXPECT_EQ(slice.key, "flat");
  EXPECT_EQ(slice.object_size, 150U);
  EXPECT_EQ(version->extents[0].length, 150U);
  EXPECT_EQ(version->sha256, hash_of(7));
  EXPECT_EQ(state_of(object), "live");
  EXPECT_EQ(state_of(first), "dead");
  EXPECT_EQ(state_of(second), "dead");
  EXPECT_TRUE(claim().empty());
  EXPECT_EQ(broken_invariant(), "");
}

TEST_F(FlatteningRepository, WhatOthersShareLivesOn) {
  const auto scattered = publish_two("a");
  Publication copy = whole(make(root, "copy").id, second, 20);
  copy.finished.clear();
  publish(copy);
  EXPECT_TRUE(flatten(scattered, reserve("flat")));
  EXPECT_EQ(state_of(first), "dead");
  EXPECT_EQ(state_of(second), "live");
  EXPECT_EQ(broken_invariant(), "");
}

TEST_F(FlatteningRepository, ReplacedOrRemovedMeanwhileNothingChanges) {
  const auto scattered = publish_two("a");
  const ObjectId object = reserve("flat");
  publish_new(file, "new", 100);
  EXPECT_FALSE(flatten(scattered, object));
  EXPECT_EQ(state_of(object), "staging");
  EXPECT_EQ(state_of(first), "live") << "the history has it";
  const auto other = publish_two("b");
  in([&](Repositories& r) { r.nodes.remove(account, file); });
  EXPECT_FALSE(flatten(other, object));
  EXPECT_EQ(state_of(object), "staging");
  EXPECT_EQ(broken_invariant(), "");
}

TEST_F(FlatteningRepository, AnObjectThatTheCollectorClaimedIsLost) {
  const auto scattered = publish_two("a");
  const ObjectId object = reserve("flat", seconds{0});
  in([](Repositories& r) { return r.objects.claim_for_deletion(seconds{0}, seconds{0}, 10); });
  EXPECT_EQ(code_of([&](Repositories& r) {
              r.flattening.replace_extents(scattered, {object, 150, std::nullopt, "etag", ""});
            }),
            ErrorCode::lease_lost);
  EXPECT_EQ(extent_count(), "2");
  EXPECT_EQ(broken_invariant(), "");
}

TEST_F(FlatteningRepository, AnObjectOfAnotherSizeIsRefused) {
  const auto scattered = publish_two("a");
  const ObjectId object = reserve("flat");
  EXPECT_EQ(code_of([&](Repositories& r) {
              r.flattening.replace_extents(scattered, {object, 149, std::nullopt, "etag", ""});
            }),
            ErrorCode::lease_lost);
  EXPECT_EQ(state_of(object), "staging");
}

TEST_F(FlatteningRepository, InlineBytesThatMoveMeanwhileAreCounted) {
  Publication publication;
  publication.node = file;
  publication.size = 10;
  publication.extents = {{0, 4, std::string("abcd")}, {4, 6, std::string("efghij")}};
  const ScatteredVersion scattered{account, file, publish(publication)->version};
  const auto waiting =
      in([](Repositories& r) { return InlineExtents(r.transaction).older_than(seconds{0}, 10); });
  ASSERT_EQ(waiting.size(), 2U);
  const ObjectId moved = reserve("moved");
  const ObjectId late = reserve("late");
  EXPECT_TRUE(in([&](Repositories& r) {
    return InlineExtents(r.transaction).move(waiting[0], {moved, 4, std::nullopt, "etag", ""});
  }));
  EXPECT_TRUE(flatten(scattered, reserve("flat"), 10));
  EXPECT_FALSE(in([&](Repositories& r) {
    return InlineExtents(r.transaction).move(waiting[1], {late, 6, std::nullopt, "etag", ""});
  }));
  EXPECT_EQ(state_of(moved), "dead");
  EXPECT_EQ(state_of(late), "staging");
  EXPECT_EQ(broken_invariant(), "");
}

}  // namespace
}  // namespace metadata
