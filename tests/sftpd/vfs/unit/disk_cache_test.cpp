#include "sftpd/vfs/reading/disk_cache.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "sftpd/vfs/reading/block_cache.h"
#include "storage/future.h"
#include "tests/support/failing_object_store.h"
#include "tests/support/memory_object_store.h"

namespace sftpd::vfs {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kib = 1024;

class DiskCacheTest : public ::testing::Test {
 protected:
  DiskCacheTest() {
    std::string name = fs::temp_directory_path() / "disk-cache-XXXXXX";
    parent = ::mkdtemp(name.data());
    directory = parent / "cache";
    restart();
  }
  ~DiskCacheTest() override {
    cache = nullptr;
    fs::remove_all(parent);
  }

  void restart(std::uint64_t capacity = 1024 * kib) {
    cache = nullptr;
    cache = std::make_unique<DiskCache>(directory, capacity);
    cache->wait_until_idle();
  }

  static std::string content(std::size_t size, char first) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
      text[i] = static_cast<char>(first + static_cast<int>(i % 97));
    return text;
  }
  void keep(const std::string& key, std::uint64_t offset, const std::string& bytes) {
    cache->keep(key, offset, storage::Payload::copy_of(bytes));
    cache->wait_until_idle();
  }
  std::optional<std::string> read(const std::string& key, std::uint64_t offset) {
    storage::Promise<std::optional<std::string>> promise;
    cache->read(key, offset, [&](std::optional<storage::Payload> bytes) {
      promise.set_value(bytes ? std::optional(std::string(bytes->text())) : std::nullopt);
    });
    return promise.future().get();
  }
  std::vector<fs::path> in_directory() const {
    std::vector<fs::path> found;
    for (const auto& file : fs::directory_iterator(directory)) found.push_back(file.path());
    return found;
  }

  fs::path parent, directory;
  std::unique_ptr<DiskCache> cache;
};

TEST_F(DiskCacheTest, GivesBackWhatItKept) {
  keep("v1/ab/one", 100, content(5000, 'a'));
  const auto range = cache->find("v1/ab/one", 2000);
  ASSERT_TRUE(range);
  EXPECT_EQ(range->offset, 100U);
  EXPECT_EQ(range->length, 5000U);
  EXPECT_EQ(read("v1/ab/one", 100), content(5000, 'a'));
  EXPECT_FALSE(cache->find("v1/ab/one", 99));
  EXPECT_FALSE(cache->find("v1/ab/one", 5100));
  EXPECT_FALSE(cache->find("v1/ab/other", 2000));
}

TEST_F(DiskCacheTest, SurvivesARestart) {
  keep("one", 0, content(5000, 'a'));
  keep("one", 5000, content(700, 'b'));
  restart();
  EXPECT_EQ(cache->used(), 5700U);
  EXPECT_EQ(read("one", 0), content(5000, 'a'));
  EXPECT_EQ(read("one", 5000), content(700, 'b'));
}

TEST_F(DiskCacheTest, OnlyTheOwnerMayLook) {
  keep("one", 0, content(10, 'a'));
  struct stat found {};
  ASSERT_EQ(::stat(directory.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0700U);
  ASSERT_EQ(::stat(in_directory().at(0).c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0600U);
}

TEST_F(DiskCacheTest, BytesThatChangedOnTheDiskAreNotGivenOut) {
  keep("one", 0, content(5000, 'a'));
  {
    std::fstream file(in_directory().at(0), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(2500);
    file.put('!');
  }
  restart();
  EXPECT_EQ(read("one", 0), std::nullopt);
  EXPECT_TRUE(in_directory().empty());
  EXPECT_EQ(cache->used(), 0U);
}

TEST_F(DiskCacheTest, WhatACrashLeftIsRemovedAtTheStart) {
  keep("one", 0, content(5000, 'a'));
  const fs::path whole = in_directory().at(0);
  std::ofstream(directory / "writing-0-7") << "half";
  std::ofstream(directory / (std::string(32, 'a') + "-0-10-00000000")) << "short";
  std::ofstream(directory / "readme") << "somebody else's";
  restart();
  std::vector<fs::path> left = in_directory();
  std::sort(left.begin(), left.end());
  std::vector<fs::path> expected{whole, directory / "readme"};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(left, expected);
  EXPECT_EQ(cache->used(), 5000U);
}

TEST_F(DiskCacheTest, TheLeastRecentlyUsedGoesFirst) {
  restart(30'000);
  for (const char* key : {"one", "two", "three"}) keep(key, 0, content(10'000, *key));
  EXPECT_EQ(read("one", 0), content(10'000, 'o'));
  keep("four", 0, content(10'000, 'f'));
  EXPECT_TRUE(cache->find("one", 0));
  EXPECT_FALSE(cache->find("two", 0));
  EXPECT_TRUE(cache->find("three", 0));
  EXPECT_LE(cache->used(), 30'000U);
  EXPECT_EQ(in_directory().size(), 3U);
}

TEST_F(DiskCacheTest, ASmallerCapHoldsFromTheNextStart) {
  for (const char* key : {"one", "two", "three"}) keep(key, 0, content(10'000, *key));
  restart(15'000);
  EXPECT_EQ(cache->used(), 10'000U);
  EXPECT_EQ(in_directory().size(), 1U);
}

TEST_F(DiskCacheTest, SegmentsDoNotOverlap) {
  keep("one", 1000, content(1000, 'a'));
  keep("one", 500, content(501, 'b'));
  keep("one", 1999, content(100, 'c'));
  keep("one", 0, content(5000, 'd'));
  EXPECT_EQ(cache->used(), 1000U);
  keep("one", 0, content(1000, 'e'));
  keep("one", 2000, content(100, 'f'));
  EXPECT_EQ(cache->used(), 2100U);
}

TEST_F(DiskCacheTest, ADroppedObjectIsGone) {
  keep("one", 0, content(1000, 'a'));
  keep("two", 0, content(1000, 'b'));
  cache->drop("one");
  EXPECT_FALSE(cache->find("one", 0));
  EXPECT_EQ(read("two", 0), content(1000, 'b'));
  EXPECT_EQ(in_directory().size(), 1U);
}

TEST_F(DiskCacheTest, ADiskThatTakesNothingCostsHitsOnly) {
  keep("one", 0, content(1000, 'a'));
  fs::remove_all(directory);
  keep("two", 0, content(1000, 'b'));
  EXPECT_EQ(read("one", 0), std::nullopt);
  EXPECT_EQ(read("two", 0), std::nullopt);
  EXPECT_EQ(cache->used(), 0U);
}

TEST_F(DiskCacheTest, OneProcessADirectory) {
  EXPECT_THROW(DiskCache(directory, kib), std::system_error);
  EXPECT_THROW(DiskCache(directory / "missing" / "deeper", kib), std::system_error);
}

// Behind the cache in memory.
class TwoTiersTest : public DiskCacheTest {
 protected:
  static constexpr std::size_t size = 300 * kib;

  TwoTiersTest() {
    storage::PutOptions options;
    options.user_metadata["oid"] = "1";
    memory.put({place.key}, storage::Payload::copy_of(content(size, 'x')), options).get();
  }

  /// A process with an empty memory reads the range.
  std::string read_range(std::uint64_t from, std::uint64_t to, std::uint64_t granularity) {
    BlockCache blocks(store, 1024 * kib, cache.get());
    const auto segments = blocks.get(place, {from, to - from}, granularity);
    blocks.wait_until_idle();
    std::string text;
    for (const auto& segment : segments) {
      const std::uint64_t at = from + text.size();
      text += segment->bytes().text().substr(at - segment->offset, to - at);
    }
    cache->wait_until_idle();
    return text;
  }
  int gets() { return store.calls(test_support::Operation::get); }

  const BlockCache::Place place{metadata::ObjectId{1}, "v1/key", size};
  test_support::MemoryObjectStore memory;
  test_support::FailingObjectStore store{memory};
};

TEST_F(TwoTiersTest, WhatWasFetchedOnceIsNotFetchedAgainAfterARestart) {
  EXPECT_EQ(read_range(0, size, 128 * kib), content(size, 'x'));
  EXPECT_EQ(gets(), 3);
  restart();
  EXPECT_EQ(read_range(0, size, 128 * kib), content(size, 'x'));
  EXPECT_EQ(read_range(5, size - 7, 64 * kib), content(size, 'x').substr(5, size - 12));
  EXPECT_EQ(gets(), 3);
}

TEST_F(TwoTiersTest, GapsAreFetched) {
  const std::string all = content(size, 'x');
  EXPECT_EQ(read_range(100 * kib, 110 * kib, 50 * kib), all.substr(100 * kib, 10 * kib));
  EXPECT_EQ(read_range(0, size, 256 * kib), all);
  EXPECT_EQ(read_range(0, size, 32 * kib), all);
}

TEST_F(TwoTiersTest, ADamagedFileIsFetchedFromTheStore) {
  EXPECT_EQ(read_range(0, size, 512 * kib), content(size, 'x'));
  ASSERT_EQ(in_directory().size(), 1U);
  fs::resize_file(in_directory()[0], 1000);
  EXPECT_EQ(read_range(0, size, 512 * kib), content(size, 'x'));
  EXPECT_EQ(gets(), 2);
}

TEST_F(TwoTiersTest, ADroppedObjectIsDroppedFromTheDiskToo) {
  EXPECT_EQ(read_range(0, size, 512 * kib), content(size, 'x'));
  BlockCache(store, 1024 * kib, cache.get()).drop(place);
  EXPECT_TRUE(in_directory().empty());
}

}  // namespace
}  // namespace sftpd::vfs
