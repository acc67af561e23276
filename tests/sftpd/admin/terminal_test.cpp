#include "sftpd/admin/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace sftpd::admin {
namespace {

TEST(Terminal, GeneratedPasswordsAreLongReadableAndDifferent) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string password = generate_password();
    EXPECT_THAT(password, testing::MatchesRegex("([2-9a-z]{5}-){3}[2-9a-z]{5}"));
    EXPECT_EQ(password.find_first_of("01lo"), std::string::npos) << "look like others";
    seen.insert(password);
  }
  EXPECT_EQ(seen.size(), 100U);
}

TEST(Terminal, SizesAreReadable) {
  EXPECT_EQ(readable_size(0), "0 B");
  EXPECT_EQ(readable_size(1023), "1023 B");
  EXPECT_EQ(readable_size(1536), "1.5 KiB");
  EXPECT_EQ(readable_size(10ULL << 30), "10.0 GiB");
  EXPECT_EQ(readable_size(~0ULL), "16384.0 PiB");
}

}  // namespace
}  // namespace sftpd::admin
