// Inline bytes on their way from the database to the store.

#include <thread>

#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

constexpr std::chrono::seconds any_age{0};

class DestageTest : public VfsTest {
 protected:
  void put_files(int count) {
    for (int i = 0; i < count; ++i) put("file-" + std::to_string(i), content(i));
  }
  void check_files(int count) {
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(read_elsewhere("file-" + std::to_string(i)), content(i));
    }
  }
  static std::string content(int i) {
    return noise(static_cast<std::size_t>(100 + i), static_cast<unsigned>(i));
  }
  std::string inline_count() {
    return text("SELECT count(*) FROM extents WHERE inline IS NOT NULL");
  }
};

TEST_F(DestageTest, MovesInlineBytesAndNothingElseChanges) {
  put_files(5);
  EXPECT_EQ(memory_store.object_count(), 0U);
  EXPECT_EQ(files->destage(any_age, 3), 3);
  EXPECT_EQ(files->destage(any_age, 100), 2);
  EXPECT_EQ(files->destage(any_age, 100), 0);
  EXPECT_EQ(inline_count(), "0");
  EXPECT_EQ(memory_store.object_count(), 5U);
  check_files(5);
}

TEST_F(DestageTest, WhenTooManyBytesWaitNewOnesGoToTheStore) {
  options.inline_backlog_max = 150;
  restart();
  put_files(3);  // Of about a hundred bytes: the second one fills it.
  EXPECT_EQ(inline_count(), "2");
  EXPECT_EQ(memory_store.object_count(), 1U);
  FileSystem other(scratch.database(), store, options);
  EXPECT_TRUE(other.inline_backlog().has_room());
  // It learns from the database how many wait, and then moves them whatever their age.
  EXPECT_FALSE(other.inline_backlog().state().measured);
  EXPECT_EQ(other.destage(std::chrono::hours{1}, 1), 1);
  EXPECT_TRUE(other.inline_backlog().state().measured);
  EXPECT_GT(other.inline_backlog().state().bytes, 0U);
  EXPECT_EQ(other.counts().destaged_objects.value(), 1U);
  EXPECT_GT(other.counts().destaged_bytes.value(), 0U);
  EXPECT_EQ(inline_count(), "1");
  EXPECT_FALSE(files->inline_backlog().has_room());
  EXPECT_EQ(files->destage(std::chrono::hours{1}, 1), 0);
  put("more", content(7));
  EXPECT_EQ(inline_count(), "2");
  check_files(3);
}

TEST_F(DestageTest, LeavesYoungOnesAlone) {
  put_files(2);
  EXPECT_EQ(files->destage(std::chrono::hours{1}, 100), 0);
}

TEST_F(DestageTest, TwoAtOnceMoveEachOnce) {
  put_files(40);
  FileSystem other(scratch.database(), store, options);
  int first = 0;
  int second = 0;
  std::thread thread([&] { first = files->destage(any_age, 100); });
  second = other.destage(any_age, 100);
  thread.join();
  EXPECT_EQ(first + second, 40);
  EXPECT_EQ(inline_count(), "0");
  EXPECT_EQ(live_objects(), 40);
  check_files(40);
}

TEST_F(DestageTest, AFailingStoreLeavesTheBytesWhereTheyAre) {
  put_files(5);
  store.add({.operation = Operation::put, .skip = 2});
  EXPECT_TRUE(code_of([&] {
    try {
      files->destage(any_age, 100);
    } catch (...) {
      throw as_vfs_error(std::current_exception());
    }
  }));
  EXPECT_EQ(inline_count(), "1");
  check_files(5);
  EXPECT_EQ(files->destage(any_age, 100), 1);
  check_files(5);
}

TEST_F(DestageTest, AnOpenFileGoesOn) {
  put("file", noise(500));
  const auto handle = open_editing("file");
  EXPECT_EQ(files->destage(any_age, 100), 1);
  EXPECT_EQ(read(*handle), noise(500));
  write(*handle, 100, "edit");
  handle->close().get();
  std::string expected = noise(500);
  expected.replace(100, 4, "edit");
  EXPECT_EQ(read_elsewhere("file"), expected);
  files->destage(any_age, 100);
  EXPECT_EQ(read_elsewhere("file"), expected);
}

}  // namespace
}  // namespace sftpd::vfs
