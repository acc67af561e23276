#include "sftpd/ssh/admission.h"

#include <gtest/gtest.h>

#include <vector>

namespace sftpd::ssh {
namespace {

TEST(Admission, PlacesAreGivenBack) {
  Admission admission(
      {.connections_max = 2, .unauthenticated_max = 2, .unauthenticated_per_network_max = 2});
  auto first = admission.admit("192.0.2.1");
  {
    auto second = admission.admit("192.0.2.1");
    EXPECT_TRUE(second);
    EXPECT_FALSE(admission.admit("192.0.2.1"));
    EXPECT_EQ(admission.connections(), 2);
  }
  EXPECT_EQ(admission.connections(), 1);
  EXPECT_TRUE(admission.admit("192.0.2.1"));
}

TEST(Admission, WhoIsLoggedInCountsOnlyAsAConnection) {
  Admission admission(
      {.connections_max = 3, .unauthenticated_max = 1, .unauthenticated_per_network_max = 1});
  std::vector<Admission::Ticket> inside;
  for (int i = 0; i < 3; ++i) {
    auto ticket = admission.admit("192.0.2.1");
    ASSERT_TRUE(ticket);
    EXPECT_FALSE(admission.admit("192.0.2.2"));
    ticket->logged_in();
    ticket->logged_in();
    inside.push_back(std::move(*ticket));
  }
  EXPECT_FALSE(admission.admit("192.0.2.1"));
}

TEST(Admission, OneNetworkCannotTakeAllPlaces) {
  Admission admission(
      {.connections_max = 10, .unauthenticated_max = 4, .unauthenticated_per_network_max = 2});
  auto a = admission.admit("2001:db8::1");
  auto b = admission.admit("2001:db8::2");
  EXPECT_FALSE(admission.admit("2001:db8::3"));
  auto c = admission.admit("192.0.2.1");
  auto d = admission.admit("192.0.2.2");
  EXPECT_TRUE(c && d);
  EXPECT_FALSE(admission.admit("192.0.2.3"));
}

}  // namespace
}  // namespace sftpd::ssh
