#include <gtest/gtest.h>

#include "sftpd/sftp/attrs.h"
#include "sftpd/sftp/packet_reader.h"
#include "sftpd/sftp/packet_writer.h"
#include "sftpd/sftp/replies.h"
#include "sftpd/sftp/requests.h"
#include "tests/sftpd/sftp/memory_stream.h"
#include "tests/sftpd/sftp/wire.h"

namespace sftpd::sftp {
namespace {

using wire::operator""_hex;

PacketReader reader_of(const std::string& bytes) { return PacketReader(wire::payload(bytes)); }

std::string encoded(const Attrs& attrs) {
  PacketWriter writer;
  write_attrs(writer, attrs);
  return std::move(writer).body();
}

std::string sent(const Answer& answer) {
  MemoryStream stream;
  send(stream, 0x01020304, answer);
  return stream.outgoing;
}

TEST(PacketReader, ReadsBigEndianIntegersAndStrings) {
  auto reader = reader_of("7f 01020304 0102030405060708 00000002 6869"_hex);
  EXPECT_EQ(reader.read_u8(), 0x7f);
  EXPECT_EQ(reader.read_u32(), 0x01020304U);
  EXPECT_EQ(reader.read_u64(), 0x0102030405060708U);
  EXPECT_EQ(reader.read_string(), "hi");
  EXPECT_NO_THROW(reader.expect_end());
}

TEST(PacketReader, ThrowsWhereThePacketEndsTooSoon) {
  EXPECT_THROW(reader_of("").read_u8(), MalformedPacket);
  EXPECT_THROW(reader_of("010203"_hex).read_u32(), MalformedPacket);
  EXPECT_THROW(reader_of("01020304050607"_hex).read_u64(), MalformedPacket);
  EXPECT_THROW(reader_of("00000003 6869"_hex).read_string(), MalformedPacket);
  EXPECT_THROW(reader_of("ffffffff 6869"_hex).read_payload(), MalformedPacket);
}

TEST(PacketReader, APayloadSharesThePacketsBytes) {
  const storage::Payload packet = wire::payload("00000002 6869"_hex);
  PacketReader reader(packet);
  EXPECT_EQ(reader.read_payload().data(), packet.data() + 4);
}

TEST(Attrs, ReadsAllFieldsInTheDraftsOrder) {
  auto reader =
      reader_of("0000000f 0000000100000002 00000003 00000004 000081a4 00000005 00000006"_hex);
  const Attrs attrs = read_attrs(reader);
  EXPECT_EQ(attrs.size, 0x100000002U);
  EXPECT_EQ(attrs.owner->uid, 3U);
  EXPECT_EQ(attrs.owner->gid, 4U);
  EXPECT_EQ(attrs.permissions, 0100644U);
  EXPECT_EQ(attrs.times->atime, 5U);
  EXPECT_EQ(attrs.times->mtime, 6U);
  EXPECT_NO_THROW(reader.expect_end());
}

TEST(Attrs, SkipsExtendedPairsAndFlagsOfLaterVersions) {
  auto reader =
      reader_of("80000114 000001ff 00000002 00000001 61 00000000 00000001 62 00000001 63"_hex);
  const Attrs attrs = read_attrs(reader);
  EXPECT_EQ(attrs.permissions, 0777U);
  EXPECT_FALSE(attrs.size);
  EXPECT_NO_THROW(reader.expect_end());
}

TEST(Attrs, RefusesMorePairsThanBytes) {
  auto reader = reader_of("80000000 ffffffff 00000001 61 00000000"_hex);
  EXPECT_THROW(read_attrs(reader), MalformedPacket);
}

TEST(Attrs, WritesOnlyWhatIsSet) {
  EXPECT_EQ(encoded({}), "00000000"_hex);
  Attrs attrs;
  attrs.permissions = 0100600;
  EXPECT_EQ(encoded(attrs), "00000004 00008180"_hex);
}

TEST(Attrs, OfAFileCarryTypeBitsAndTimesThatFit) {
  vfs::Attributes attributes;
  attributes.size = 10;
  attributes.uid = 1000;
  attributes.gid = 1001;
  attributes.permissions = 0640;
  attributes.atime = -5;
  attributes.mtime = std::int64_t{1} << 40;
  EXPECT_EQ(encoded(to_attrs(attributes)),
            "0000000f 000000000000000a 000003e8 000003e9 000081a0 00000000 ffffffff"_hex);
}

TEST(Requests, SymlinkHasItsTargetFirstAsOpenSSHDoes) {
  auto reader = reader_of("00000001 74 00000002 2f6c"_hex);
  const auto request = SymlinkRequest::decode(reader);
  EXPECT_EQ(request.target, "t");
  EXPECT_EQ(request.path, "/l");
}

TEST(Requests, OpenAndWriteAreReadInWireOrder) {
  auto open = reader_of("00000002 2f61 0000001a 00000000"_hex);
  const auto opened = OpenRequest::decode(open);
  EXPECT_EQ(opened.path, "/a");
  EXPECT_EQ(opened.pflags, SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_TRUNC);
  auto write = reader_of("00000004 00000007 0000000000000009 00000003 616263"_hex);
  const auto written = WriteRequest::decode(write);
  EXPECT_EQ(written.handle, "00000007"_hex);
  EXPECT_EQ(written.offset, 9U);
  EXPECT_EQ(written.bytes.text(), "abc");
}

TEST(Requests, IdsMustFillTheirStrings) {
  auto good = reader_of("00000008 00000001 00000002 00000000"_hex);
  EXPECT_EQ(NamesByIdRequest::decode(good).uids, (std::vector<std::uint32_t>{1, 2}));
  auto bad = reader_of("00000003 000001 00000000"_hex);
  EXPECT_THROW(NamesByIdRequest::decode(bad), MalformedPacket);
}

TEST(Replies, AStatusHasCodeWordsAndAnEmptyLanguage) {
  EXPECT_EQ(sent(Status{SSH_FX_EOF, {}}),
            "0000001c 65 01020304 00000001 0000000b"_hex + "End of file" + "00000000"_hex);
  EXPECT_EQ(sent(Status{SSH_FX_FAILURE, "Why"}),
            "00000014 65 01020304 00000004 00000003"_hex + "Why" + "00000000"_hex);
}

TEST(Replies, AHandleAndDataAreStrings) {
  EXPECT_EQ(sent(Handle{"abcd"}), "0000000d 66 01020304 00000004"_hex + "abcd");
  EXPECT_EQ(sent(Data{wire::payload("xyz")}), "0000000c 67 01020304 00000003"_hex + "xyz");
}

TEST(Replies, NamesCarryLongNamesAndAttrs) {
  EXPECT_EQ(sent(one_name("/a")),
            "00000019 68 01020304 00000001 00000002 2f61 00000002 2f61 00000000"_hex);
}

TEST(Replies, AttrsAndExtendedReplies) {
  EXPECT_EQ(sent(Attrs{}), "00000009 69 01020304 00000000"_hex);
  EXPECT_EQ(sent(ExtendedReply{"zz"}), "00000007 c9 01020304"_hex + "zz");
}

}  // namespace
}  // namespace sftpd::sftp
