#include "sftpd/exec/exec_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sftpd::exec {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

TEST(SplitWords, SplitsAtBlanks) {
  EXPECT_THAT(split_words("scp  -r\t-t /a/b\n"), Optional(ElementsAre("scp", "-r", "-t", "/a/b")));
  EXPECT_THAT(split_words("   "), Optional(IsEmpty()));
  EXPECT_THAT(split_words(""), Optional(IsEmpty()));
}

TEST(SplitWords, TakesQuotesAndBackslashesAway) {
  EXPECT_THAT(split_words(R"(md5sum '/a b/it'\''s')"),
              Optional(ElementsAre("md5sum", "/a b/it's")));
  EXPECT_THAT(split_words(R"(a\ b "c d" "e\"f\\g\h" '')"),
              Optional(ElementsAre("a b", "c d", R"(e"f\g\h)", "")));
}

TEST(SplitWords, ExpandsNothing) {
  EXPECT_THAT(split_words("echo ${ShellId}%ComSpec% *;rm"),
              Optional(ElementsAre("echo", "${ShellId}%ComSpec%", "*;rm")));
}

TEST(SplitWords, RefusesAnOpenQuote) {
  EXPECT_EQ(split_words("a 'b"), std::nullopt);
  EXPECT_EQ(split_words("a \"b\\\""), std::nullopt);
}

TEST(SplitWords, KeepsABackslashAtTheEndQuiet) {
  EXPECT_THAT(split_words("a\\"), Optional(ElementsAre("a")));
}

TEST(LastComponent, IsWhatFollowsTheLastSlash) {
  EXPECT_EQ(last_component("/usr/lib/openssh/sftp-server"), "sftp-server");
  EXPECT_EQ(last_component("scp"), "scp");
  EXPECT_EQ(last_component("a/"), "");
}

}  // namespace
}  // namespace sftpd::exec
