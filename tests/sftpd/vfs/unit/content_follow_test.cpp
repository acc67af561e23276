#include <gtest/gtest.h>

#include "sftpd/vfs/content/content.h"

namespace sftpd::vfs {
namespace {

Stored stored(int number, std::uint64_t offset = 0) {
  return {metadata::ObjectId{number}, std::make_shared<const std::string>("key"), 10'000, offset,
          nullptr};
}

/// The object and the offset in it of the byte at `offset`; 0: no object.
std::pair<std::int64_t, std::uint64_t> place(const Content& content, std::uint64_t offset) {
  const auto piece = content.pieces(offset, 1).front();
  const auto* found = std::get_if<Stored>(&piece.source);
  return found ? std::pair{found->object.value, found->offset} : std::pair{std::int64_t{0}, offset};
}

class ContentFollow : public testing::Test {
 protected:
  ContentFollow() {
    before.assign(0, 100, stored(1));
    before.assign(100, 50, stored(2, 7));
    now.assign(0, 150, stored(3));
  }
  Content before, now;
};

TEST_F(ContentFollow, WhatIsUnchangedMovesAlong) {
  Content content = before;
  EXPECT_TRUE(content.follow(before, now));
  EXPECT_EQ(place(content, 0), std::pair(std::int64_t{3}, std::uint64_t{0}));
  EXPECT_EQ(place(content, 149), std::pair(std::int64_t{3}, std::uint64_t{149}));
  EXPECT_EQ(content.count(), 1U);
}

TEST_F(ContentFollow, ChangesStay) {
  Content content = before;
  content.assign(20, 10, Scratch{20});
  content.assign(60, 10, stored(2, 7));
  content.erase(110, 5);
  content.assign(150, 10, stored(1));
  EXPECT_TRUE(content.follow(before, now));
  EXPECT_EQ(place(content, 19), std::pair(std::int64_t{3}, std::uint64_t{19}));
  EXPECT_TRUE(std::holds_alternative<Scratch>(content.pieces(25, 1).front().source));
  EXPECT_EQ(place(content, 60), std::pair(std::int64_t{2}, std::uint64_t{7}))
      << "the bytes of another place";
  EXPECT_TRUE(std::holds_alternative<Zeros>(content.pieces(112, 1).front().source));
  EXPECT_EQ(place(content, 115), std::pair(std::int64_t{3}, std::uint64_t{115}));
  EXPECT_EQ(place(content, 150), std::pair(std::int64_t{1}, std::uint64_t{0}));
}

TEST_F(ContentFollow, NothingMovedIsNoChange) {
  Content content = before;
  EXPECT_FALSE(content.follow(before, before));
  content.assign(0, 150, Scratch{0});
  EXPECT_FALSE(content.follow(before, now));
}

}  // namespace
}  // namespace sftpd::vfs
