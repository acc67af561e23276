#include "sftpd/limits/turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace sftpd::limits {
namespace {

std::string all_of(Turns<char>& turns) {
  std::string order;
  while (!turns.empty()) order += turns.next();
  return order;
}

TEST(Turns, GroupsComeInTurnAndWithinThemTheFirst) {
  Turns<char> turns;
  for (const char waiter : {'a', 'b', 'c', 'd'}) turns.add(1, waiter);
  turns.add(2, 'x');
  turns.add(3, 'y');
  turns.add(2, 'z');
  EXPECT_EQ(all_of(turns), "axybzcd");
}

TEST(Turns, WhoComesBackQueuesAtTheEnd) {
  Turns<char> turns;
  turns.add(1, 'a');
  turns.add(2, 'b');
  EXPECT_EQ(turns.next(), 'a');
  turns.add(1, 'a');
  EXPECT_EQ(all_of(turns), "ba");
}

TEST(Turns, WhoLeavesIsForgotten) {
  Turns<char> turns;
  turns.add(1, 'a');
  turns.add(1, 'b');
  turns.add(2, 'c');
  turns.remove(1, 'a');
  turns.remove(2, 'c');
  turns.remove(2, 'c');
  turns.remove(7, 'q');
  EXPECT_EQ(all_of(turns), "b");
}

}  // namespace
}  // namespace sftpd::limits
