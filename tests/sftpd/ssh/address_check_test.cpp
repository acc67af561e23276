#include "sftpd/ssh/address_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sftpd/ssh/listener.h"
#include "tests/sftpd/ssh/test_server.h"

namespace sftpd::ssh::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(AddressCheck, WhatCanBeHadIsFree) { EXPECT_EQ(try_address("127.0.0.1:0"), "free"); }

TEST(AddressCheck, AShoeboxThatRunsIsNoFault) {
  const TestServer server;
  EXPECT_EQ(try_address("127.0.0.1:" + std::to_string(server.port())), "Shoebox runs there");
}

TEST(AddressCheck, AnotherProgramsPortIsTaken) {
  const auto silent = listen_on("127.0.0.1:0");
  const std::string text = "127.0.0.1:" + std::to_string(silent.front().port);
  EXPECT_THAT([&] { try_address(text, std::chrono::milliseconds(10)); },
              ThrowsMessage<std::runtime_error>(
                  AllOf(HasSubstr(text), HasSubstr("another program has the port"))));
}

TEST(AddressCheck, AnAddressOfAnotherMachineIsNotOurs) {
  // From a range that is for documentation alone (RFC 5737).
  EXPECT_THAT([] { try_address("192.0.2.1:2022"); },
              ThrowsMessage<std::runtime_error>(HasSubstr("this machine does not have")));
}

TEST(AddressCheck, APortIsANumber) {
  EXPECT_THAT([] { try_address("127.0.0.1:99999"); },
              ThrowsMessage<std::runtime_error>(HasSubstr("from 0 to 65535")));
}

}  // namespace
}  // namespace sftpd::ssh::testing
