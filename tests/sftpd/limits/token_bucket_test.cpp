#include "sftpd/limits/token_bucket.h"

#include <gtest/gtest.h>

namespace sftpd::limits {
namespace {

using namespace std::chrono_literals;
constexpr TokenBucket::Clock::time_point start{};

TEST(TokenBucket, FillsAtItsRateUpToItsSize) {
  TokenBucket bucket(1000, 500, start);
  EXPECT_DOUBLE_EQ(bucket.balance(start), 500);
  bucket.take(500, start);
  EXPECT_FALSE(bucket.positive(start));
  EXPECT_DOUBLE_EQ(bucket.balance(start + 100ms), 100);
  EXPECT_DOUBLE_EQ(bucket.balance(start + 1h), 500);
}

TEST(TokenBucket, ADebtIsWaitedFor) {
  TokenBucket bucket(1000, 500, start);
  bucket.take(2499, start);
  EXPECT_EQ(bucket.until_positive(start), 2s);
  EXPECT_EQ(bucket.until_positive(start + 1500ms), 500ms);
  EXPECT_TRUE(bucket.positive(start + 2s));
  EXPECT_EQ(bucket.until_positive(start + 2s), 0s);
}

TEST(TokenBucket, ADebtMayHaveABound) {
  TokenBucket bucket(1000, 500, start);
  bucket.take(1e9, start, 700);
  EXPECT_DOUBLE_EQ(bucket.balance(start), -700);
}

TEST(TokenBucket, WithoutALimitItIsNeverEmpty) {
  TokenBucket bucket(0, 500, start);
  bucket.take(1e12, start);
  EXPECT_TRUE(bucket.positive(start));
  EXPECT_EQ(bucket.until_positive(start), 0s);
}

TEST(TokenBucket, AChangeKeepsWhatWasSavedAndOwed) {
  TokenBucket bucket(1000, 500, start);
  bucket.take(200, start);
  bucket.change(2000, 100, start);
  EXPECT_DOUBLE_EQ(bucket.balance(start), 100) << "as much as fits";
  bucket.take(150, start);
  bucket.change(10, 100, start);
  EXPECT_DOUBLE_EQ(bucket.balance(start), -50);
  bucket.take(1'000'000, start);
  bucket.change(10, 100, start);
  EXPECT_DOUBLE_EQ(bucket.balance(start), -100) << "no debt for hours after a change";
}

TEST(TokenBucket, ALimitBeginsWithAFullBucket) {
  TokenBucket bucket(0, 0, start);
  bucket.change(1000, 500, start + 1h);
  EXPECT_DOUBLE_EQ(bucket.balance(start + 1h), 500);
}

TEST(TokenBucket, AClockThatStandsStillGivesNothing) {
  TokenBucket bucket(1000, 500, start + 1s);
  bucket.take(500, start + 1s);
  EXPECT_DOUBLE_EQ(bucket.balance(start), 0);
}

}  // namespace
}  // namespace sftpd::limits
