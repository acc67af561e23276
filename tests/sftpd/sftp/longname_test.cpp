#include "sftpd/sftp/longname.h"

#include <gtest/gtest.h>

namespace sftpd::sftp {
namespace {

constexpr std::int64_t now = 1'700'000'000;  // 2023-11-14 22:13:20 UTC

class LongName : public ::testing::Test {
 protected:
  LongName() {
    file_.size = 4321;
    file_.uid = 1000;
    file_.gid = 1000;
    file_.permissions = 0644;
    file_.mtime = now - 3600;
  }
  std::string line(std::string_view name = "a.txt") const {
    return long_name(name, file_, {.uid = 1000, .gid = 1000, .name = "alice"}, now);
  }
  vfs::Attributes file_;
};

TEST_F(LongName, IsALineOfLs) {
  EXPECT_EQ(line(), "-rw-r--r--   1 alice    alice        4321 Nov 14 21:13 a.txt");
}

TEST_F(LongName, ShowsTheYearOfWhatIsOld) {
  file_.mtime = 0;
  EXPECT_EQ(line(), "-rw-r--r--   1 alice    alice        4321 Jan  1  1970 a.txt");
}

TEST_F(LongName, ShowsTheYearOfWhatIsInTheFuture) {
  file_.mtime = now + 60;
  EXPECT_EQ(line(), "-rw-r--r--   1 alice    alice        4321 Nov 14  2023 a.txt");
}

TEST_F(LongName, ChangesItsFormAfterHalfAYear) {
  file_.mtime = now - 15'768'000;
  EXPECT_NE(line().find("May 16  2023"), std::string::npos) << line();
  file_.mtime += 1;
  EXPECT_NE(line().find("May 16 10:13"), std::string::npos) << line();
}

TEST_F(LongName, ShowsDirectoriesLinksAndSpecialBits) {
  file_.kind = vfs::NodeKind::directory;
  file_.permissions = 01755;
  EXPECT_TRUE(line().starts_with("drwxr-xr-t "));
  file_.kind = vfs::NodeKind::symlink;
  file_.permissions = 06640;
  EXPECT_TRUE(line().starts_with("lrwSr-S--- "));
}

TEST_F(LongName, ShowsNumbersOfOthersAndOfNamesWithBlanks) {
  file_.uid = 7;
  EXPECT_EQ(line(), "-rw-r--r--   1 7        alice        4321 Nov 14 21:13 a.txt");
  file_.uid = 1000;
  EXPECT_TRUE(long_name("a", file_, {.uid = 1000, .gid = 1, .name = "al ice"}, now)
                  .starts_with("-rw-r--r--   1 1000     1000 "));
}

TEST_F(LongName, StaysWithinItsBoundWhateverTheAttributes) {
  file_.size = ~std::uint64_t{0};
  file_.uid = file_.gid = ~std::uint32_t{0};
  file_.mtime = std::numeric_limits<std::int64_t>::max();
  EXPECT_LE(line("").size(), long_name_prefix_bytes_max);
  const Account named{.uid = file_.uid, .gid = file_.gid, .name = std::string(255, 'n')};
  file_.mtime = std::int64_t{1} << 55;
  EXPECT_LE(long_name("", file_, named, now).size(), long_name_prefix_bytes_max);
}

}  // namespace
}  // namespace sftpd::sftp
