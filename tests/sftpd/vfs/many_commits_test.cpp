// A file stays usable however often it is committed.

#include "tests/sftpd/vfs/flatten_fixture.h"

namespace sftpd::vfs {
namespace {

class ManyCommitsTest : public FlattenTest {
 protected:
  void append(const std::string& path, const std::string& bytes) {
    const auto handle = open(path, {.write = true, .append = true, .create = true});
    write(*handle, 0, bytes);
    handle->close().get();
  }
  int extents(const std::string& path) { return std::stoi(extents_of(path)); }
};

TEST_F(ManyCommitsTest, SmallAppendsBecomeOneInlineExtentAndThenObjects) {
  options.inline_max = 10 * kib;
  restart();
  std::string expected;
  for (unsigned i = 0; i < 9; ++i) append("log", noise(kib, i));
  EXPECT_EQ(extents("log"), 1);
  EXPECT_EQ(memory_store.object_count(), 0U);
  for (unsigned i = 9; i < 100; ++i) append("log", noise(kib, i));
  for (unsigned i = 0; i < 100; ++i) expected += noise(kib, i);
  EXPECT_LE(extents("log"), 11);
  EXPECT_LE(text("SELECT max(octet_length(inline)) FROM extents"), std::to_string(10 * kib));
  EXPECT_EQ(read_elsewhere("log"), expected);
}

TEST_F(ManyCommitsTest, SmallEditsInOnePlaceStayOneInlineExtent) {
  options.inline_max = 4 * kib;
  restart();
  std::string expected = noise(100 * kib);
  put("file", expected);
  for (unsigned i = 0; i < 30; ++i) edit("file", 5'000 + i * 100, noise(100, i), expected);
  EXPECT_EQ(extents("file"), 3);
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(ManyCommitsTest, AppendsOfAnySizeKeepTheNumberOfExtentsDown) {
  options.extents_max = 20;
  restart();
  std::string expected;
  for (unsigned i = 0; i < 90; ++i) {
    append("log", noise(5'000, i));
    expected += noise(5'000, i);
    EXPECT_LE(extents("log"), 22);
  }
  EXPECT_EQ(read("log"), expected);
  EXPECT_EQ(read_elsewhere("log"), expected);
  collect();
  EXPECT_EQ(read_elsewhere("log"), expected);
}

TEST_F(ManyCommitsTest, EditsAllOverKeepTheNumberOfExtentsDown) {
  options.extents_max = 20;
  restart();
  std::string expected = noise(300 * kib);
  put("file", expected);
  for (unsigned i = 0; i < 60; ++i) {
    edit("file", (i * 7919 * 13) % (299 * kib), noise(50, i), expected);
    EXPECT_LE(extents("file"), 25);
  }
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(ManyCommitsTest, AFailureToJoinFailsNoCommit) {
  options.extents_max = 10;
  options.inline_max = kib;
  restart();
  std::string expected;
  for (unsigned i = 0; i < 11; ++i) {
    append("log", noise(5'000, i));
    expected += noise(5'000, i);
  }
  for (const Operation operation : {Operation::create_upload, Operation::get}) {
    store.add({.operation = operation, .times = 100});
  }
  append("log", "y");
  expected += "y";
  EXPECT_GT(extents("log"), 10);
  EXPECT_EQ(read_elsewhere("log"), expected);
  store.clear();
  append("log", "z");
  expected += "z";
  EXPECT_LE(extents("log"), 10);
  EXPECT_EQ(read_elsewhere("log"), expected);
}

}  // namespace
}  // namespace sftpd::vfs
