#include "sftpd/auth/login_throttle.h"

#include <gtest/gtest.h>

#include <string>

namespace sftpd::auth {
namespace {

using std::chrono::seconds;

LoginThrottle::Options three_failures() {
  LoginThrottle::Options options;
  options.network_failures = 3;
  options.network_refill = seconds(10);
  options.user_failures = 5;
  options.user_refill = seconds(10);
  return options;
}

class Throttling : public ::testing::Test {
 protected:
  void fail(const char* address, const char* user, int times) {
    for (int i = 0; i < times; ++i) throttle.failed(address, user, now);
  }
  bool allows(const char* address, const char* user) { return throttle.allows(address, user, now); }
  LoginThrottle throttle{three_failures()};
  LoginThrottle::Clock::time_point now{seconds(1000)};
};

TEST_F(Throttling, ANetworkThatGuessesIsRefusedAndForgivenOverTime) {
  fail("192.0.2.1", "a", 2);
  EXPECT_TRUE(allows("192.0.2.1", "b"));
  fail("192.0.2.1", "b", 1);
  EXPECT_FALSE(allows("192.0.2.1", "c"));
  EXPECT_TRUE(allows("192.0.2.2", "c"));
  now += seconds(10);
  EXPECT_TRUE(allows("192.0.2.1", "c"));
  fail("192.0.2.1", "c", 1);
  EXPECT_FALSE(allows("192.0.2.1", "c"));
}

TEST_F(Throttling, ManyFailuresDoNotLockOutForever) {
  fail("192.0.2.1", "a", 1000);
  now += seconds(21);
  EXPECT_TRUE(allows("192.0.2.1", "b"));
}

TEST_F(Throttling, AUserGuessedFromEverywhereIsRefusedToStrangersOnly) {
  throttle.succeeded("198.51.100.7", "alice", now);
  for (const char* from : {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"}) {
    fail(from, "alice", 1);
  }
  EXPECT_FALSE(allows("192.0.2.6", "alice"));
  EXPECT_TRUE(allows("198.51.100.7", "alice"));
  EXPECT_TRUE(allows("192.0.2.6", "bob"));
}

TEST_F(Throttling, ANeighbourWithAWrongPasswordDoesNotLockOutAKnownUser) {
  throttle.succeeded("192.0.2.1", "alice", now);
  fail("192.0.2.1", "bob", 3);
  EXPECT_FALSE(allows("192.0.2.1", "bob"));
  EXPECT_TRUE(allows("192.0.2.1", "alice"));
  fail("192.0.2.1", "alice", 3);
  EXPECT_FALSE(allows("192.0.2.1", "alice"));
  throttle.succeeded("192.0.2.1", "alice", now);
  EXPECT_TRUE(allows("192.0.2.1", "alice"));
}

TEST_F(Throttling, Ipv6CountsByNetwork) {
  fail("2001:db8::1", "a", 3);
  EXPECT_FALSE(allows("2001:db8::ffff:1", "a"));
  EXPECT_TRUE(allows("2001:db8:0:1::1", "a"));
}

TEST_F(Throttling, MemoryIsBounded) {
  auto options = three_failures();
  options.entries_max = 100;
  LoginThrottle small(options);
  for (int i = 0; i < 1000; ++i)
    small.failed("10.0.0." + std::to_string(i), "u" + std::to_string(i), now);
  EXPECT_EQ(small.entries(), 100U);
}

TEST(Network, OfAnAddress) {
  EXPECT_EQ(network_of("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(network_of("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(network_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(network_of("::1"), "::/64");
  EXPECT_EQ(network_of("unix"), "unix");
}

}  // namespace
}  // namespace sftpd::auth
