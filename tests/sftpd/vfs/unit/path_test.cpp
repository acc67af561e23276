#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sftpd/vfs/error.h"
#include "sftpd/vfs/path_walk.h"

namespace sftpd::vfs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool is_refused(const std::string& path) {
  try {
    (void)split_path(path);
    return false;
  } catch (const Error& error) {
    return error.code() == ErrorCode::bad_name;
  }
}

TEST(SplitPath, LeavesOutEmptyNamesAndDots) {
  EXPECT_THAT(split_path(""), IsEmpty());
  EXPECT_THAT(split_path("/"), IsEmpty());
  EXPECT_THAT(split_path("."), IsEmpty());
  EXPECT_THAT(split_path("//a/./b///c/"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(split_path("../a/.."), ElementsAre("..", "a", ".."));
  EXPECT_THAT(split_path("...a/.b"), ElementsAre("...a", ".b"));
}

TEST(SplitPath, BoundsNamesAndPaths) {
  EXPECT_FALSE(is_refused(std::string(255, 'a')));
  EXPECT_TRUE(is_refused(std::string(256, 'a')));
  std::string path;
  while (path.size() < 4096) path += "/a";
  EXPECT_EQ(split_path(path).size(), 2048U);
  EXPECT_TRUE(is_refused(path + "a"));
}

TEST(SplitPath, TakesUtf8AsItComes) {
  for (const char* name : {"\xC3\xA9", "e\xCC\x81", "\xE2\x82\xAC", "\xF0\x9F\x93\xB7", "\xC2\x80",
                           "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF", "\xEF\xBF\xBF"}) {
    EXPECT_THAT(split_path(name), ElementsAre(name));
  }
}

TEST(SplitPath, RefusesWhatIsNotUtf8) {
  for (const char* name : {"\x80",
                           "\xBF",
                           "\xC3",
                           "\xC3(",
                           "\xE2\x82",
                           "\xE2(\xA1",
                           "\xE2\x82(",
                           "\xF0\x9F\x93",
                           "\xF0(\x8C\xBC",
                           "\xFF",
                           "\xFE",
                           "\xC0\x80",
                           "\xC1\xBF",
                           "\xE0\x80\xAF",
                           "\xE0\x9F\xBF",
                           "\xF0\x80\x80\xAF",
                           "\xF0\x8F\xBF\xBF",  // overlong
                           "\xED\xA0\x80",
                           "\xED\xBF\xBF",  // surrogates
                           "\xF4\x90\x80\x80",
                           "\xF5\x80\x80\x80",  // above U+10FFFF
                           "caf\xE9"}) {
    EXPECT_TRUE(is_refused(name)) << name;
    EXPECT_TRUE(is_refused(std::string("a/") + name + "/b")) << name;
  }
  EXPECT_TRUE(is_refused(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace sftpd::vfs
