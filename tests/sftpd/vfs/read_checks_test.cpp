// Bytes that are not those that were stored are never handed out without a word.

#include "sftpd/vfs/reading/block_cache.h"
#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

using ::testing::HasSubstr;

class ReadChecksTest : public VfsTest {
 protected:
  static constexpr std::size_t size = 900 * kib;

  ReadChecksTest() { put("photo", noise(size)); }

  /// The store's next answers have a bit wrong.
  void damage(int times = 1, int skip = 0) {
    restart();  // Nothing is cached.
    store.add({.operation = Operation::get, .fault = Fault::corrupt, .skip = skip, .times = times});
  }

  /// Somebody writes other bytes of the same size into the bucket.
  void overwrite(const std::string& key) {
    storage::PutOptions oid;
    oid.user_metadata["oid"] = "0";
    memory_store.put({key}, storage::Payload::copy_of(noise(size, 99)), oid).get();
  }

  /// How far reading in order gets.
  std::size_t read_until_failure(FileHandle& handle) {
    std::size_t at = 0;
    const auto failure = code_of([&] {
      while (at < size) at += handle.read(at, 32 * kib).get().size();
    });
    if (at < size) {
      EXPECT_EQ(failure, ErrorCode::content_damaged);
    }
    return at;
  }
};

TEST_F(ReadChecksTest, TheLastReadOfDamagedBytesFailsAndTheLogHasAnAlarm) {
  damage();
  const auto handle = open_reading("photo");
  testing::internal::CaptureStderr();
  const std::size_t read = read_until_failure(*handle);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_GE(read, size - 256 * kib) << "what the last segment holds is held back, and no more";
  EXPECT_LT(read, size);
  EXPECT_THAT(log, HasSubstr("stored content is damaged"));
  EXPECT_EQ(files->counts().damaged_objects.value(), 1U);
  EXPECT_THAT(log, HasSubstr("key=" + memory_store.keys().at(0).text));
  EXPECT_THAT(log, HasSubstr("node=" + std::to_string(node("photo").id.value)));
}

TEST_F(ReadChecksTest, TheDamagedBytesAreNotKept) {
  damage();
  EXPECT_LT(read_until_failure(*open_reading("photo")), size);
  EXPECT_EQ(read("photo"), noise(size)) << "fetched again, and this time it is right";
}

TEST_F(ReadChecksTest, NewUploadsDoNotReferToADamagedObject) {
  put("copy", noise(size));
  EXPECT_EQ(live_objects(), 1) << "the same bytes are stored once";
  damage();
  EXPECT_LT(read_until_failure(*open_reading("photo")), size);
  put("again", noise(size));
  EXPECT_EQ(live_objects(), 2);
  put("and again", noise(size));
  EXPECT_EQ(live_objects(), 2);
}

TEST_F(ReadChecksTest, AHandleThatWasToldOnceIsToldAgain) {
  damage();
  const auto handle = open_reading("photo");
  read_until_failure(*handle);
  EXPECT_EQ(code_of([&] { handle->read(0, 100).get(); }), ErrorCode::content_damaged);
  EXPECT_EQ(code_of([&] { handle->read(size - 100, 100).get(); }), ErrorCode::content_damaged);
}

TEST_F(ReadChecksTest, DamageOfASmallFileIsSeenByItsOnlyRead) {
  put("small", noise(20 * kib, 3));
  damage();
  EXPECT_EQ(code_of([&] { open_reading("small")->read(0, 32 * kib).get(); }),
            ErrorCode::content_damaged);
  EXPECT_EQ(read("small"), noise(20 * kib, 3));
}

TEST_F(ReadChecksTest, DamageInTheMiddleIsSeenToo) {
  damage(1, 2);
  EXPECT_LT(read_until_failure(*open_reading("photo")), size);
}

TEST_F(ReadChecksTest, EachTimeTheBytesAreReadTheyAreCompared) {
  EXPECT_EQ(read("photo"), noise(size));
  const std::string id = text("SELECT id FROM objects WHERE state = 'live'");
  files->cache().drop({metadata::ObjectId{std::stoll(id)}, "", size});
  store.add({.operation = Operation::get, .fault = Fault::corrupt});
  EXPECT_LT(read_until_failure(*open_reading("photo")), size) << "also once it was found good";
}

TEST_F(ReadChecksTest, ReadsThatOvertakeEachOtherAreCompared) {
  damage();
  const auto handle = open_reading("photo");
  std::vector<storage::Future<storage::Payload>> answers;
  for (std::size_t at = 0; at < size; at += 128 * kib) {
    for (const std::size_t further : {96U, 32U, 64U, 0U}) {
      if (at + further * kib >= size) continue;
      answers.push_back(handle->read(at + further * kib, 32 * kib));
    }
  }
  int failed = 0;
  for (auto& answer : answers) {
    failed += code_of([&] { answer.get(); }) == ErrorCode::content_damaged ? 1 : 0;
  }
  EXPECT_GT(failed, 0);
}

TEST_F(ReadChecksTest, TwoReadersOfDamagedBytesAreBothTold) {
  damage();
  const auto first = open_reading("photo");
  const auto second = open_reading("photo");
  std::size_t told = 0;
  for (std::size_t at = 0; at < size; at += 32 * kib) {
    for (auto* handle : {first.get(), second.get()}) {
      told += code_of([&] { handle->read(at, 32 * kib).get(); }) ? 1 : 0;
    }
  }
  EXPECT_GE(told, 2U);
}

TEST_F(ReadChecksTest, EachObjectOfAFileIsCompared) {
  {
    const auto handle = open_writing("photo");
    write_all(*handle, noise(size, 2), size);
    handle->close().get();
  }
  ASSERT_EQ(live_objects(), 2);
  EXPECT_EQ(read("photo"), noise(size) + noise(size, 2));
  restart();
  // Ids are taken from the end of a batch.
  overwrite(text("SELECT key FROM objects WHERE state = 'live' ORDER BY id LIMIT 1"));
  const auto handle = open_reading("photo");
  std::size_t at = 0;
  const auto failure = code_of([&] {
    while (at < 2 * size) at += handle->read(at, 32 * kib).get().size();
  });
  EXPECT_EQ(failure, ErrorCode::content_damaged);
  EXPECT_GE(at, size) << "the first object is as it was";
}

TEST_F(ReadChecksTest, WhoReadsAPartOnlyIsNotHeldUp) {
  damage();
  const auto handle = open_reading("photo");
  EXPECT_EQ(handle->read(size - 100, 100).get().size(), 100U);
  EXPECT_EQ(handle->read(300 * kib, 100).get().text(), noise(size).substr(300 * kib, 100));
}

TEST_F(ReadChecksTest, AFailedFetchIsNoVerdict) {
  restart();
  const auto handle = open_reading("photo");
  store.add({.operation = Operation::get, .skip = 1});
  std::size_t at = 0;
  int failures = 0;
  while (at < size) {
    const auto failure = code_of([&] { at += handle->read(at, 32 * kib).get().size(); });
    if (!failure) continue;
    EXPECT_EQ(failure, ErrorCode::store_unavailable);
    ASSERT_LT(++failures, 10);
  }
  EXPECT_EQ(VfsTest::read(*handle), noise(size));
}

TEST_F(ReadChecksTest, ContentInTheDatabaseAndContentWithoutAHashAreReadAsEver) {
  put("tiny", "tiny");
  scratch.execute("UPDATE objects SET sha256 = NULL, crc32c = NULL");
  restart();
  EXPECT_EQ(read("tiny"), "tiny");
  EXPECT_EQ(read("photo"), noise(size));
}

TEST_F(ReadChecksTest, TheCheaperChecksumDecidesWhereItIsKnown) {
  put("tiny", "tiny");
  while (files->destage(std::chrono::seconds(0), 10) > 0) continue;
  scratch.execute("UPDATE objects SET sha256 = sha256('')");
  restart();
  EXPECT_EQ(read("tiny"), "tiny") << "moved out of the database";
  EXPECT_EQ(read("photo"), noise(size));
  scratch.execute("UPDATE objects SET crc32c = (crc32c + 1) % 4294967296");
  restart();
  EXPECT_LT(read_until_failure(*open_reading("photo")), size);
}

TEST_F(ReadChecksTest, ObjectsWithoutItAreComparedByTheirHash) {
  scratch.execute("UPDATE objects SET crc32c = NULL");
  restart();
  EXPECT_EQ(read("photo"), noise(size));
  scratch.execute("UPDATE objects SET sha256 = sha256('')");
  restart();
  EXPECT_LT(read_until_failure(*open_reading("photo")), size);
}

TEST_F(ReadChecksTest, PartsOfALongerStreamHaveOneChecksum) {
  const std::string film = noise(3 * options.part_size + 4321, 5);
  put("film", film);
  EXPECT_EQ(scratch.execute("SELECT count(*) FROM objects WHERE crc32c IS NOT NULL"), "2");
  scratch.execute("UPDATE objects SET sha256 = sha256('')");
  restart();
  EXPECT_EQ(read("film"), film);
}

TEST_F(ReadChecksTest, CanBeTurnedOff) {
  options.verify_reads = false;
  damage();
  EXPECT_EQ(read_until_failure(*open_reading("photo")), size);
}

}  // namespace
}  // namespace sftpd::vfs
