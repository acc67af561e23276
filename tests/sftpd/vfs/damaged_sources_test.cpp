// Joining a file's pieces does not make damaged bytes look right.

#include "sftpd/vfs/reading/block_cache.h"
#include "tests/sftpd/vfs/flatten_fixture.h"

namespace sftpd::vfs {
namespace {

using ::testing::HasSubstr;

class DamagedSourcesTest : public FlattenTest {
 protected:
  /// Of the file's live objects, in file order.
  std::vector<std::string> keys(const std::string& path) {
    std::vector<std::string> found;
    const std::string version = std::to_string(node(path).version->value);
    const std::string all = text(
        "SELECT string_agg(key, ' ' ORDER BY first) FROM (SELECT o.key, min(e.file_offset)"
        " AS first FROM extents e JOIN objects o ON o.id = e.object_id WHERE e.version_id = " +
        version + " GROUP BY o.key) k");
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t end = std::min(all.find(' ', at), all.size());
      found.push_back(all.substr(at, end - at));
      at = end + 1;
    }
    return found;
  }

  /// The disk below the store turns a bit of the object.
  void damage(const std::string& key, std::size_t at) {
    std::string bytes(memory_store.get({key}, {0, 1 << 30}).get().text());
    bytes.at(at) = static_cast<char>(bytes.at(at) ^ 4);
    storage::PutOptions oid;
    oid.user_metadata["oid"] = "0";
    memory_store.put({key}, storage::Payload::copy_of(bytes), oid).get();
  }

  std::string damaged_objects() {
    return text("SELECT count(*) FROM objects WHERE damaged_at IS NOT NULL");
  }
  /// Of the objects that the file consists of.
  std::string crcs(const std::string& path) {
    return text(
        "SELECT count(o.crc32c) FROM extents e JOIN objects o ON o.id = e.object_id"
        " WHERE e.version_id = " +
        std::to_string(node(path).version->value));
  }

  /// Small enough for the store not to copy it: below its smallest part.
  std::string make_small(const std::string& path) {
    std::string expected = noise(2'500);
    put(path, expected);
    edit(path, 500, noise(100, 2), expected);
    edit(path, 2'500, noise(600, 3), expected);
    return expected;
  }

  void expect_refused(const std::string& path) {
    testing::internal::CaptureStderr();
    const auto failure = code_of([&] { flatten(); });
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_EQ(failure, ErrorCode::content_damaged);
    EXPECT_THAT(log, HasSubstr("stored content is damaged"));
    EXPECT_THAT(log, HasSubstr("node=" + std::to_string(node(path).id.value)));
    EXPECT_FALSE(is_flat(path));
    EXPECT_EQ(files->counts().damaged_objects.value(), 1U);
    EXPECT_EQ(files->counts().flatten_failures.value(), 1U);
    EXPECT_EQ(damaged_objects(), "1");
  }

  /// How reading all of the file ends.
  std::optional<ErrorCode> failure_of_reading(const std::string& path) {
    restart();
    return code_of([&] { read(path); });
  }
};

TEST_F(DamagedSourcesTest, DamageOfWhatIsReadIsSeenAndThePiecesStay) {
  make_small("file");
  const std::string before = extents_of("file");
  damage(keys("file").at(0), 1'000);
  expect_refused("file");
  EXPECT_EQ(extents_of("file"), before);
  EXPECT_EQ(flatten(), 0) << "not tried again and again";
  collect();
  EXPECT_EQ(static_cast<int>(memory_store.object_count()), live_objects());
}

TEST_F(DamagedSourcesTest, DamageOfASmallObjectIsSeenInThePartThatIsNotNeededToo) {
  make_small("file");
  damage(keys("file").at(0), 550);
  expect_refused("file");
}

TEST_F(DamagedSourcesTest, ObjectsThatHaveAHashOnlyAreCompared) {
  const std::string expected = make_small("file");
  make_small("other");
  scratch.execute("UPDATE objects SET crc32c = NULL");
  EXPECT_EQ(flatten(), 2);
  EXPECT_TRUE(is_flat("file"));
  EXPECT_EQ(read_elsewhere("file"), expected);
  std::string edited = expected;
  edit("file", 500, noise(100, 2), edited);
  scratch.execute("UPDATE objects SET crc32c = NULL");
  damage(keys("file").at(0), 1'000);
  expect_refused("file");
}

TEST_F(DamagedSourcesTest, ObjectsWithoutAnyChecksumAreJoined) {
  const std::string expected = make_small("file");
  scratch.execute("UPDATE objects SET crc32c = NULL, sha256 = NULL");
  EXPECT_EQ(flatten(), 1);
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(DamagedSourcesTest, CanBeTurnedOff) {
  options.verify_reads = false;
  restart();
  make_small("file");
  damage(keys("file").at(0), 1'000);
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
}

TEST_F(DamagedSourcesTest, WhatTheStoreCopiesWholeKeepsItsChecksum) {
  std::string expected = noise(200 * kib);
  put("file", expected);
  edit("file", 200 * kib, noise(90 * kib, 3), expected);
  edit("file", 290 * kib, noise(100, 4), expected);
  EXPECT_EQ(flatten(), 1);
  ASSERT_TRUE(is_flat("file"));
  EXPECT_GT(store.calls(Operation::copy_part), 0);
  EXPECT_EQ(crcs("file"), "1");
  restart();
  EXPECT_EQ(read("file"), expected);
}

TEST_F(DamagedSourcesTest, DamageThatTheStoreCopiedIsSeenByTheNextReader) {
  std::string expected = noise(200 * kib);
  put("file", expected);
  edit("file", 200 * kib, noise(90 * kib, 3), expected);
  damage(keys("file").at(0), 100'000);
  EXPECT_EQ(flatten(), 1);
  ASSERT_TRUE(is_flat("file"));
  EXPECT_EQ(failure_of_reading("file"), ErrorCode::content_damaged);
}

TEST_F(DamagedSourcesTest, WhereASliceWasCopiedNoChecksumIsClaimed) {
  std::string expected = noise(200 * kib);
  put("file", expected);
  edit("file", 100'000, noise(100, 3), expected);
  EXPECT_EQ(flatten(), 1);
  ASSERT_TRUE(is_flat("file"));
  EXPECT_EQ(crcs("file"), "0");
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(DamagedSourcesTest, ACommitThatJoinsLeavesDamagedPiecesAlone) {
  options.extents_max = 16;
  restart();
  std::string expected = noise(100 * kib);
  put("file", expected);
  damage(keys("file").at(0), 50'000);
  const auto handle = open_editing("file");
  for (std::size_t i = 0; i < 30; ++i) write(*handle, i * 3'000, "edited");
  testing::internal::CaptureStderr();
  handle->close().get();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("stored content is damaged"));
  EXPECT_EQ(damaged_objects(), "1");
  EXPECT_GT(std::stoi(extents_of("file")), 16);
  EXPECT_EQ(open_reading("file")->read(6'000, 6).get().text(), "edited");
}

TEST_F(DamagedSourcesTest, ALargeObjectIsComparedIfMostOfItIsRead) {
  options.extents_max = 64;
  restart();
  const std::size_t size = 3 * mib;  // More than what one request reads.
  for (const auto& [path, reach] : {std::pair("most", size - 9'000), std::pair("little", mib)}) {
    put(path, noise(size, static_cast<unsigned>(reach)));
    damage(keys(path).at(0), size - 10);
    const auto handle = open_editing(path);
    // The store copies nothing of so little.
    for (std::size_t at = 0; at < reach; at += 3'000) write(*handle, at, noise(600, 5));
    handle->close().get();
  }
  EXPECT_GT(std::stoi(extents_of("most")), 64);
  EXPECT_LE(std::stoi(extents_of("little")), 64);
  EXPECT_EQ(damaged_objects(), "1");
}

}  // namespace
}  // namespace sftpd::vfs
