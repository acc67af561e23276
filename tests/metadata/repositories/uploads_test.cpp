#include "metadata/repositories/uploads.h"

#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

using std::chrono::seconds;

class UploadsRepository : public MetadataTest {
 protected:
  UploadsRepository() : file(make(root, "file").id) {}

  ObjectId begin(const std::string& key, seconds lease, std::int64_t chain = 7,
                 std::optional<VersionId> base = {}) {
    return begin_for(file, key, lease, chain, base);
  }
  ObjectId begin_for(NodeId node, const std::string& key, seconds lease, std::int64_t chain = 7,
                     std::optional<VersionId> base = {}) {
    const ObjectId object = reserve(key, lease);
    in([&](Repositories& r) {
      r.uploads.begin(account, object, node, FileId{node.value}, UserId{3}, "upload-" + key, 4096,
                      chain, base);
    });
    return object;
  }
  std::vector<UploadRow> claim(seconds lease, int limit = 100) {
    return in([&](Repositories& r) { return r.uploads.claim_interrupted(lease, limit); });
  }

  NodeId file;
};

TEST_F(UploadsRepository, AnInterruptedOneIsClaimedOnce) {
  const ObjectId object = begin("key", seconds{0});
  const auto claimed = claim(seconds{60});
  ASSERT_EQ(claimed.size(), 1U);
  EXPECT_EQ(claimed[0].account, account);
  EXPECT_EQ(claimed[0].object, object);
  EXPECT_EQ(claimed[0].node, file);
  EXPECT_EQ(claimed[0].user, UserId{3});
  EXPECT_EQ(claimed[0].key, "key");
  EXPECT_EQ(claimed[0].upload, "upload-key");
  EXPECT_EQ(claimed[0].file_offset, 4096U);
  EXPECT_EQ(claimed[0].chain, 7);
  EXPECT_FALSE(claimed[0].base) << "the file had no content yet";
  EXPECT_TRUE(claim(seconds{60}).empty()) << "the first claim took the lease over";
}

TEST_F(UploadsRepository, TheLastComesFirstAndKnowsWhatItBeganFrom) {
  const ObjectId first = begin("first", seconds{0});
  const auto version = publish(whole(file, reserve("content", seconds{60}), 100))->version;
  const ObjectId second = begin("second", seconds{0}, 7, version);
  const auto claimed = claim(seconds{60});
  ASSERT_EQ(claimed.size(), 2U);
  EXPECT_EQ(claimed[0].object, second);
  EXPECT_EQ(claimed[0].base, version);
  EXPECT_EQ(claimed[1].object, first);
  EXPECT_FALSE(claimed[1].base);
}

TEST_F(UploadsRepository, MayBeNotedTwice) {
  const ObjectId object = begin("key", seconds{0});
  in([&](Repositories& r) {
    r.uploads.begin(account, object, file, FileId{file.value}, UserId{3}, "upload-key", 4096, 7,
                    {});
  });
  const auto claimed = claim(seconds{60});
  ASSERT_EQ(claimed.size(), 1U);
  EXPECT_EQ(claimed[0].upload, "upload-key");
}

TEST_F(UploadsRepository, ARunningOneIsLeftAlone) {
  const auto is_running = [&] {
    return in([&](Repositories& r) { return r.uploads.is_running(account, FileId{file.value}); });
  };
  EXPECT_FALSE(is_running());
  begin("key", seconds{60});
  EXPECT_TRUE(is_running());
  EXPECT_TRUE(claim(seconds{60}).empty());
}

TEST_F(UploadsRepository, OneThatWasGivenUpIsNotRunning) {
  const auto is_running = [&] {
    return in([&](Repositories& r) { return r.uploads.is_running(account, FileId{file.value}); });
  };
  const ObjectId object = begin("key", seconds{60});
  in([&](Repositories& r) { r.objects.discard(account, {object}); });
  EXPECT_EQ(text("SELECT count(*) FROM uploads"), "1");
  EXPECT_FALSE(is_running());
}

TEST_F(UploadsRepository, AChainIsClaimedAsAWhole) {
  for (int i = 0; i < 5; ++i) begin("a" + std::to_string(i), seconds{0});
  begin_for(make(root, "other").id, "b", seconds{0});
  EXPECT_EQ(claim(seconds{60}, 1).size(), 1U) << "what began last";
  EXPECT_EQ(claim(seconds{60}, 1).size(), 5U);
  EXPECT_TRUE(claim(seconds{60}).empty());
}

TEST_F(UploadsRepository, AChainIsInterruptedWhenAllOfItsLeasesEnded) {
  begin("old", seconds{0});
  const ObjectId last = begin("last", seconds{60});
  begin("older", seconds{0});
  EXPECT_TRUE(claim(seconds{60}).empty());
  execute("UPDATE objects SET lease_until = now() WHERE id = " + std::to_string(last.value));
  EXPECT_EQ(claim(seconds{60}).size(), 3U);
}

TEST_F(UploadsRepository, TheOlderChainOfAFileWaitsForTheYounger) {
  const ObjectId older = begin("older", seconds{0}, 1);
  const ObjectId younger = begin("younger", seconds{60}, 2);
  EXPECT_TRUE(claim(seconds{60}).empty());
  in([&](Repositories& r) { r.objects.discard(account, {younger}); });
  const auto claimed = claim(seconds{60});
  ASSERT_EQ(claimed.size(), 1U);
  EXPECT_EQ(claimed[0].object, older);
}

TEST_F(UploadsRepository, WhatFailedIsClaimedAgainLater) {
  const ObjectId object = begin("key", seconds{0});
  const auto pause_after = [&](int failures_max) {
    in([&](Repositories& r) { r.uploads.postpone(account, {object}, seconds{100}, failures_max); });
    EXPECT_TRUE(claim(seconds{60}).empty());
    return text("SELECT round(extract(epoch FROM lease_until - now()) / 100) FROM objects");
  };
  EXPECT_EQ(pause_after(2), "1");
  EXPECT_EQ(pause_after(2), "2");
  EXPECT_EQ(pause_after(2), "2") << "not counted any more";
  EXPECT_EQ(pause_after(100), "4");
  for (int i = 0; i < 10; ++i) pause_after(100);
  EXPECT_EQ(pause_after(100), "64");
  execute("UPDATE objects SET lease_until = now()");
  const auto claimed = claim(seconds{60});
  ASSERT_EQ(claimed.size(), 1U);
  EXPECT_EQ(claimed[0].failures, 14);
  EXPECT_FALSE(in([&](Repositories& r) {
    return r.uploads.is_running(account, FileId{file.value});
  })) << "the file is as before meanwhile";
}

TEST_F(UploadsRepository, EachIsClaimedByOneProcess) {
  begin("a", seconds{0});
  begin_for(make(root, "other").id, "b", seconds{0});
  scratch.database().transact([&](Transaction& first) {
    EXPECT_EQ(Uploads(first).claim_interrupted(seconds{60}, 1).size(), 1U);
    EXPECT_EQ(claim(seconds{60}).size(), 1U);
  });
  EXPECT_TRUE(claim(seconds{60}).empty());
}

TEST_F(UploadsRepository, AnEndedOneIsForgotten) {
  const ObjectId object = begin("key", seconds{0});
  in([&](Repositories& r) { r.uploads.end(account, object); });
  EXPECT_TRUE(claim(seconds{60}).empty());
}

TEST_F(UploadsRepository, PublishingEndsIt) {
  const ObjectId object = begin("key", seconds{60});
  publish(whole(file, object, 100));
  EXPECT_EQ(text("SELECT count(*) FROM uploads"), "0");
  EXPECT_EQ(text("SELECT upload FROM objects"), "");
}

TEST_F(UploadsRepository, TheCollectorLeavesItToWhoFinishesIt) {
  begin("key", seconds{-100'000});
  EXPECT_TRUE(in([](Repositories& r) {
                return r.objects.claim_for_deletion(seconds{0}, seconds{0}, 10);
              }).empty());
  EXPECT_EQ(claim(seconds{60}).size(), 1U);
}

TEST_F(UploadsRepository, TheCollectorEndsOneThatWasGivenUp) {
  const ObjectId object = begin("key", seconds{0});
  in([&](Repositories& r) { r.objects.discard(account, {object}); });
  EXPECT_EQ(in([](Repositories& r) {
              return r.objects.claim_for_deletion(seconds{0}, seconds{0}, 10);
            }).size(),
            1U);
  EXPECT_EQ(text("SELECT count(*) FROM uploads"), "0");
  EXPECT_TRUE(claim(seconds{60}).empty());
  EXPECT_EQ(code_of([&](Repositories& r) {
              r.uploads.begin(account, object, file, FileId{file.value}, UserId{3}, "upload", 0, 0,
                              {});
            }),
            ErrorCode::lease_lost);
}

}  // namespace
}  // namespace metadata
