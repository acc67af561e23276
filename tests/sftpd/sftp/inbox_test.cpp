#include "sftpd/sftp/inbox.h"

#include <gtest/gtest.h>

#include "tests/sftpd/sftp/memory_stream.h"
#include "tests/sftpd/sftp/wire.h"

namespace sftpd::sftp {
namespace {

using wire::operator""_hex;

constexpr std::uint32_t length_max = 256 * 1024;

std::string framed(const std::string& body) { return wire::u32(body.size()) + body; }

TEST(Inbox, CutsPacketsHoweverTheyArrive) {
  const std::string bodies[] = {"a", std::string(300, 'b'),        std::string(70'000, 'c'),
                                "d", std::string(length_max, 'e'), "f"};
  for (const std::size_t piece : {1UL, 3UL, 1000UL, 40'000UL, 1'000'000UL}) {
    MemoryStream stream;
    stream.bytes_per_read_max = piece;
    for (const auto& body : bodies) stream.incoming += framed(body);
    Inbox inbox(length_max);
    for (const auto& body : bodies) {
      const auto packet = inbox.next(stream);
      ASSERT_TRUE(packet);
      EXPECT_EQ(packet->text(), body);
      inbox.settle();
    }
    EXPECT_FALSE(inbox.next(stream));
  }
}

TEST(Inbox, GivesNothingBeforeAPacketsEnd) {
  MemoryStream stream;
  Inbox inbox(length_max);
  for (const char byte : framed("hello")) {
    EXPECT_FALSE(inbox.next(stream));
    stream.incoming += byte;
  }
  EXPECT_EQ(inbox.next(stream)->text(), "hello");
}

TEST(Inbox, KeptPacketsStayAsTheyWere) {
  MemoryStream stream;
  Inbox inbox(length_max);
  std::vector<storage::Payload> kept;
  for (int i = 0; i < 40; ++i) {
    const auto letter = static_cast<char>('A' + i);
    stream.incoming += framed(std::string(i % 2 == 0 ? 200'000 : 20'000, letter));
    const auto packet = inbox.next(stream);
    ASSERT_TRUE(packet);
    if (i % 3 != 1) kept.push_back(*packet);
  }
  for (const auto& packet : kept) {
    EXPECT_EQ(packet.text(), std::string(packet.size(), packet.text().front()));
  }
}

TEST(Inbox, LargePacketsLieWhereTheyWereReceived) {
  MemoryStream stream;
  Inbox inbox(length_max);
  stream.incoming = framed(std::string(100'000, 'x'));
  const std::byte* first = inbox.next(stream)->data();
  stream.incoming += framed(std::string(100'000, 'y'));
  EXPECT_EQ(inbox.next(stream)->data(), first) << "a block that nobody keeps is used again";
}

TEST(Inbox, RefusesEmptyAndOverlongPackets) {
  for (const auto& length : {"00000000"_hex, "00040001"_hex, "ffffffff"_hex}) {
    MemoryStream stream;
    stream.incoming = length;
    Inbox inbox(length_max);
    EXPECT_THROW(inbox.next(stream), ProtocolViolation);
  }
}

}  // namespace
}  // namespace sftpd::sftp
