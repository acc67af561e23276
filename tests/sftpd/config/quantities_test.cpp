#include "sftpd/config/quantities.h"

#include <gtest/gtest.h>

namespace sftpd::config {
namespace {

using std::chrono::milliseconds;

TEST(Quantities, SizesAreInPowersOf1024) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("512"), 512U);
  EXPECT_EQ(parse_size("4k"), 4096U);
  EXPECT_EQ(parse_size("256MiB"), 256ULL << 20);
  EXPECT_EQ(parse_size("10G"), 10ULL << 30);
  EXPECT_EQ(parse_size("2TiB"), 2ULL << 40);
}

TEST(Quantities, WhatIsNoSizeIsRefused) {
  for (const char* text : {"", "G", "10GB", "10 G", "-1", "1.5G", "10Gx", "0x10", "8388608T"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Quantities, DurationsNameTheirUnit) {
  EXPECT_EQ(parse_duration("0"), milliseconds(0));
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("30s"), std::chrono::seconds(30));
  EXPECT_EQ(parse_duration("5m"), std::chrono::minutes(5));
  EXPECT_EQ(parse_duration("12h"), std::chrono::hours(12));
  EXPECT_EQ(parse_duration("7d"), std::chrono::days(7));
  EXPECT_EQ(parse_duration("2w"), std::chrono::days(14));
}

TEST(Quantities, WhatIsNoDurationIsRefused) {
  for (const char* text : {"", "30", "s", "30 s", "-30s", "1.5h", "99999999999999999d"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

}  // namespace
}  // namespace sftpd::config
