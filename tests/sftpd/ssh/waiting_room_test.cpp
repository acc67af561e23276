#include "sftpd/ssh/waiting_room.h"

#include <gtest/gtest.h>

namespace sftpd::ssh {
namespace {

constexpr std::size_t kib = std::size_t{1} << 10;

TEST(WaitingRoom, ALittleNeedsNone) {
  WaitingRoom room(0);
  WaitingRoom::Place place(room);
  EXPECT_TRUE(place.fit(0, 0));
  EXPECT_TRUE(place.fit(64 * kib, 64 * kib));
  EXPECT_FALSE(place.fit(64 * kib + 1, 64 * kib + 1));
}

TEST(WaitingRoom, WhoWasRefusedMayGoOnOnceLittleWaits) {
  WaitingRoom room(0);
  WaitingRoom::Place place(room);
  EXPECT_FALSE(place.fit(200 * kib, 200 * kib));
  EXPECT_TRUE(place.fit(64 * kib, 200 * kib));
}

TEST(WaitingRoom, IsSharedAndGivenBack) {
  WaitingRoom room(1024 * kib);
  WaitingRoom::Place one(room);
  {
    WaitingRoom::Place other(room);
    EXPECT_TRUE(other.fit(700 * kib, 700 * kib));
    EXPECT_TRUE(one.fit(256 * kib, 256 * kib));
    EXPECT_FALSE(one.fit(257 * kib, 257 * kib));
    EXPECT_TRUE(other.fit(500 * kib, 500 * kib)) << "a channel ended";
    EXPECT_TRUE(one.fit(257 * kib, 257 * kib));
    EXPECT_FALSE(other.fit(600 * kib, 600 * kib));
  }
  EXPECT_TRUE(one.fit(1024 * kib, 1024 * kib));
  EXPECT_FALSE(one.fit(1025 * kib, 1025 * kib));
}

TEST(WaitingRoom, IsKeptForWhatOnceWaited) {
  WaitingRoom room(512 * kib);
  WaitingRoom::Place one(room);
  WaitingRoom::Place other(room);
  EXPECT_TRUE(one.fit(500 * kib, 500 * kib));
  EXPECT_TRUE(one.fit(0, 500 * kib));
  EXPECT_FALSE(other.fit(200 * kib, 200 * kib));
}

}  // namespace
}  // namespace sftpd::ssh
