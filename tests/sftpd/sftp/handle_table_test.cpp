#include "sftpd/sftp/handle_table.h"

#include <gtest/gtest.h>

#include "sftpd/sftp/status.h"
#include "tests/sftpd/sftp/wire.h"

namespace sftpd::sftp {
namespace {

using wire::operator""_hex;

HandleTable::Opened a_directory(const std::string& path) {
  return std::make_shared<OpenedDirectory>(OpenedDirectory{.directory = nullptr, .path = path});
}

TEST(HandleTable, HandlesAreFourBytesCountedUp) {
  HandleTable table(10, 0xffffffff);
  EXPECT_EQ(table.add(a_directory("/a")), "ffffffff"_hex);
  EXPECT_EQ(table.add(a_directory("/b")), "00000000"_hex);
  EXPECT_EQ(table.path("ffffffff"_hex), "/a");
  EXPECT_EQ(table.directory("00000000"_hex).path, "/b");
}

TEST(HandleTable, AClosedHandleIsNotGivenOutAgainSoon) {
  HandleTable table(10, 1);
  const std::string first = table.add(a_directory("/a"));
  table.take(first);
  EXPECT_NE(table.add(a_directory("/b")), first);
  EXPECT_THROW(table.any(first), Refused);
  EXPECT_THROW(table.take(first), Refused);
}

TEST(HandleTable, RefusesWhatItNeverGaveOut) {
  HandleTable table(10, 1);
  table.add(a_directory("/a"));
  for (const auto& handle : {""_hex, "01"_hex, "000001"_hex, "00000002"_hex, "0000000001"_hex}) {
    EXPECT_THROW(table.any(handle), Refused);
  }
  EXPECT_THROW(table.file("00000001"_hex), Refused);
}

TEST(HandleTable, IsBounded) {
  HandleTable table(2, 1);
  table.add(a_directory("/a"));
  table.add(a_directory("/b"));
  EXPECT_THROW(table.expect_room(), Refused);
  EXPECT_THROW(table.add(a_directory("/c")), Refused);
}

}  // namespace
}  // namespace sftpd::sftp
