#include <gtest/gtest.h>

#include "tests/sftpd/sftp/session/session_fixture.h"

namespace sftpd::sftp {
namespace {

using vfs::noise;
using wire::no_attrs;
using wire::text;
using wire::u32;
using wire::u64;
using wire::operator""_hex;

constexpr std::uint32_t create_flags = SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_TRUNC;

class SftpFiles : public SessionTest {
 protected:
  std::uint32_t size_of(std::string_view path) {
    return WireAttrs(client_->ask(SSH_FXP_STAT, text(path))).size;
  }
};

std::string times(std::uint32_t atime, std::uint32_t mtime) {
  return "00000008"_hex + u32(atime) + u32(mtime);
}

// As lftp, paramiko and pscp do: nobody waits for a reply before the next request.
TEST_F(SftpFiles, AnUploadInOneBreathKeepsItsTimes) {
  const std::string content = noise(200'000);
  const std::string handle = client_->open("/photo.jpg", create_flags);
  std::vector<std::uint32_t> ids;
  for (std::size_t at = 0; at < content.size(); at += 32'768) {
    ids.push_back(
        client_->send(SSH_FXP_WRITE, handle + u64(at) + text(content.substr(at, 32'768))));
  }
  ids.push_back(client_->send(SSH_FXP_FSETSTAT, handle + times(1'000'000, 1'000'001)));
  ids.push_back(client_->send(SSH_FXP_CLOSE, handle));
  const auto stat = client_->send(SSH_FXP_STAT, text("/photo.jpg"));
  for (const auto id : ids) EXPECT_EQ(Client::status(client_->wait(id)), SSH_FX_OK);
  const WireAttrs attrs(client_->wait(stat));
  EXPECT_EQ(attrs.size, content.size());
  EXPECT_EQ(attrs.mtime, 1'000'001U);
  EXPECT_EQ(attrs.atime, 1'000'000U);
  EXPECT_EQ(attrs.uid, 1000U);
  EXPECT_EQ(attrs.mode & 0170000U, 0100000U);
  EXPECT_EQ(client_->get("/photo.jpg"), content);
}

// As sshfs does.
TEST_F(SftpFiles, AnOpenIsSeenByTheLstatBehindIt) {
  const auto open =
      client_->send(SSH_FXP_OPEN, text("/new") + u32(create_flags) + "00000004 000081a0"_hex);
  const auto lstat = client_->send(SSH_FXP_LSTAT, text("/new"));
  EXPECT_EQ(client_->wait(open).type, SSH_FXP_HANDLE);
  const WireAttrs attrs(client_->wait(lstat));
  EXPECT_EQ(attrs.size, 0U);
  EXPECT_EQ(attrs.mode, 0100640U);
}

// As WinSCP does.
TEST_F(SftpFiles, ASetstatBehindACloseIsTheLastWord) {
  const std::string handle = client_->open("/a", create_flags);
  client_->send(SSH_FXP_WRITE, handle + u64(0) + text("content"));
  const auto close = client_->send(SSH_FXP_CLOSE, handle);
  const auto setstat = client_->send(SSH_FXP_SETSTAT, text("/a") + times(5, 6));
  EXPECT_EQ(Client::status(client_->wait(close)), SSH_FX_OK);
  EXPECT_EQ(Client::status(client_->wait(setstat)), SSH_FX_OK);
  EXPECT_EQ(WireAttrs(client_->ask(SSH_FXP_STAT, text("/a"))).mtime, 6U);
}

// As node's ssh2 does: 64 at once, some going backwards.
TEST_F(SftpFiles, WritesMayComeOutOfOrder) {
  const std::string content = noise(30 * 8'000);
  const std::string handle = client_->open("/a", create_flags);
  const std::size_t order[]{1,  0,  3,  2,  5,  4,  9,  8,  7,  6,  10, 12, 11, 13, 14,
                            19, 18, 17, 16, 15, 20, 21, 22, 23, 24, 29, 28, 27, 26, 25};
  for (const std::size_t piece : order) {
    client_->send(SSH_FXP_WRITE,
                  handle + u64(piece * 8'000) + text(content.substr(piece * 8'000, 8'000)));
  }
  EXPECT_EQ(client_->code(SSH_FXP_CLOSE, handle), SSH_FX_OK);
  EXPECT_EQ(client_->get("/a"), content);
}

// As scp does: no TRUNC, then the size.
TEST_F(SftpFiles, OverwritingALongerFileEndsAtTheSizeThatIsSet) {
  client_->put("/a", std::string(5'000, 'x'));
  const std::string handle = client_->open("/a", SSH_FXF_WRITE | SSH_FXF_CREAT);
  client_->send(SSH_FXP_WRITE, handle + u64(0) + text("short"));
  client_->send(SSH_FXP_FSETSTAT, handle + "00000001"_hex + u64(5));
  EXPECT_EQ(client_->code(SSH_FXP_CLOSE, handle), SSH_FX_OK);
  EXPECT_EQ(client_->get("/a"), "short");
}

TEST_F(SftpFiles, AppendIgnoresOffsets) {
  client_->put("/a", "begun");
  const std::string handle = client_->open("/a", SSH_FXF_WRITE | SSH_FXF_APPEND | SSH_FXF_CREAT);
  client_->send(SSH_FXP_WRITE, handle + u64(0) + text(" and"));
  client_->send(SSH_FXP_WRITE, handle + u64(77) + text(" ended"));
  EXPECT_EQ(client_->code(SSH_FXP_CLOSE, handle), SSH_FX_OK);
  EXPECT_EQ(client_->get("/a"), "begun and ended");
}

TEST_F(SftpFiles, ExclFailsOnWhatExistsAndOpeningWhatIsMissingToo) {
  client_->put("/a", "content");
  const auto open = [this](std::string_view path, std::uint32_t pflags) {
    return client_->code(SSH_FXP_OPEN, text(path) + u32(pflags) + no_attrs());
  };
  EXPECT_EQ(open("/a", SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_EXCL), SSH_FX_FAILURE);
  EXPECT_EQ(open("/b", SSH_FXF_WRITE), SSH_FX_NO_SUCH_FILE);
  EXPECT_EQ(open("/missing/b", create_flags), SSH_FX_NO_SUCH_FILE);
  EXPECT_EQ(open("/a", SSH_FXF_READ | SSH_FXF_TRUNC), SSH_FX_FAILURE);
  EXPECT_EQ(client_->get("/a"), "content");
}

TEST_F(SftpFiles, ReadsEndShortAndThenWithEof) {
  client_->put("/a", "0123456789");
  const std::string handle = client_->open("/a", 0);  // No flags at all mean READ.
  const auto read = [&](std::uint64_t offset, std::uint32_t length) {
    return client_->ask(SSH_FXP_READ, handle + u64(offset) + u32(length));
  };
  EXPECT_EQ(read(4, 100).text_at(0), "456789");
  EXPECT_EQ(read(10, 1).code(), SSH_FX_EOF);
  EXPECT_EQ(read(~0ULL, 1).type, SSH_FXP_STATUS);
  EXPECT_EQ(read(0, 0).rest, "00000000"_hex);
}

TEST_F(SftpFiles, ManyReadsAreAnsweredEachUnderItsId) {
  const std::string content = noise(3'000'000);
  client_->put("/large", "");
  put("/large", content);
  const std::string handle = client_->open("/large", SSH_FXF_READ);
  std::vector<std::uint32_t> ids;
  for (std::uint64_t i = 0; i < 13; ++i) {
    ids.push_back(client_->send(SSH_FXP_READ, handle + u64(i * 261'120) + u32(261'120)));
  }
  const auto close = client_->send(SSH_FXP_CLOSE, handle);
  std::string received;
  for (std::size_t i = 0; i < 12; ++i) received += client_->wait(ids[i]).text_at(0);
  EXPECT_EQ(received, content);
  EXPECT_EQ(client_->wait(ids[12]).code(), SSH_FX_EOF);
  EXPECT_EQ(Client::status(client_->wait(close)), SSH_FX_OK);
}

TEST_F(SftpFiles, AnOverlongReadIsAnsweredShort) {
  put("/large", noise(600'000));
  const std::string handle = client_->open("/large", SSH_FXF_READ);
  const auto reply = client_->ask(SSH_FXP_READ, handle + u64(0) + u32(0xffffffff));
  EXPECT_EQ(reply.text_at(0).size(), 261'120U);
}

// sshfs: an unlinked file that is still open is renamed, used, and removed behind its CLOSE.
TEST_F(SftpFiles, HandlesOutliveTheirPath) {
  client_->put("/a", "content");
  const std::string handle = client_->open("/a", SSH_FXF_READ | SSH_FXF_WRITE);
  EXPECT_EQ(Client::status(
                client_->ask_extended("posix-rename@openssh.com", text("/a") + text("/hidden"))),
            SSH_FX_OK);
  EXPECT_EQ(client_->code(SSH_FXP_REMOVE, text("/hidden")), SSH_FX_OK);
  EXPECT_EQ(client_->code(SSH_FXP_WRITE, handle + u64(0) + text("C")), SSH_FX_OK);
  EXPECT_EQ(client_->ask(SSH_FXP_READ, handle + u64(0) + u32(99)).text_at(0), "Content");
  EXPECT_EQ(WireAttrs(client_->ask(SSH_FXP_FSTAT, handle)).size, 7U);
  EXPECT_EQ(client_->code(SSH_FXP_CLOSE, handle), SSH_FX_OK);
  EXPECT_EQ(client_->code(SSH_FXP_STAT, text("/hidden")), SSH_FX_NO_SUCH_FILE);
}

TEST_F(SftpFiles, RenameKeepsWhatIsThereAndPosixRenameReplacesIt) {
  client_->put("/a", "new");
  client_->put("/b", "old");
  EXPECT_EQ(client_->code(SSH_FXP_RENAME, text("/a") + text("/b")), SSH_FX_FAILURE);
  EXPECT_EQ(client_->get("/a") + client_->get("/b"), "newold");
  EXPECT_EQ(
      Client::status(client_->ask_extended("posix-rename@openssh.com", text("/a") + text("/b"))),
      SSH_FX_OK);
  EXPECT_EQ(client_->get("/b"), "new");
  EXPECT_EQ(client_->code(SSH_FXP_STAT, text("/a")), SSH_FX_NO_SUCH_FILE);
  EXPECT_EQ(client_->code(SSH_FXP_RENAME, text("/a") + text("/c")), SSH_FX_NO_SUCH_FILE);
}

TEST_F(SftpFiles, AClosedHandleIsGoneAtOnce) {
  const std::string handle = client_->open("/a", create_flags);
  const auto first = client_->send(SSH_FXP_CLOSE, handle);
  const auto second = client_->send(SSH_FXP_CLOSE, handle);
  EXPECT_EQ(Client::status(client_->wait(first)), SSH_FX_OK);
  EXPECT_EQ(Client::status(client_->wait(second)), SSH_FX_FAILURE);
}

TEST_F(SftpFiles, WhatALostConnectionSentIsKept) {
  const std::string handle = client_->open("/a", create_flags);
  EXPECT_EQ(client_->code(SSH_FXP_WRITE, handle + u64(0) + text("received")), SSH_FX_OK);
  client_->vanish();
  drain();
  EXPECT_EQ(read_elsewhere("/a"), "received");
}

TEST_F(SftpFiles, ACloseSaysThatTheStoreRefused) {
  store.add({.operation = vfs::Operation::put, .fault = vfs::Fault::refuse, .times = 100});
  store.add(
      {.operation = vfs::Operation::create_upload, .fault = vfs::Fault::refuse, .times = 100});
  const std::string handle = client_->open("/a", create_flags);
  client_->send(SSH_FXP_WRITE, handle + u64(0) + text(noise(20'000)));
  EXPECT_EQ(client_->code(SSH_FXP_CLOSE, handle), SSH_FX_FAILURE);
}

// One slow answer of the store stops nothing else.
TEST_F(SftpFiles, OtherRequestsDoNotWaitForTheStore) {
  store.add({.operation = vfs::Operation::put, .fault = vfs::Fault::hold});
  const std::string handle = client_->open("/slow", create_flags);
  client_->send(SSH_FXP_WRITE, handle + u64(0) + text(noise(20'000)));
  const auto close = client_->send(SSH_FXP_CLOSE, handle);
  EXPECT_EQ(client_->code(SSH_FXP_MKDIR, text("/d") + no_attrs()), SSH_FX_OK);
  EXPECT_EQ(size_of("/slow"), 20'000U);
  store.wait_until_held(1);
  EXPECT_FALSE(client_->answered(close));
  store.release();
  EXPECT_EQ(Client::status(client_->wait(close)), SSH_FX_OK);
}

TEST_F(SftpFiles, CopyDataCopiesBetweenHandles) {
  client_->put("/a", "0123456789");
  const std::string from = client_->open("/a", SSH_FXF_READ);
  const std::string to = client_->open("/b", create_flags);
  const auto copy = [&](const std::string& source, std::uint64_t offset, std::uint64_t length,
                        const std::string& target, std::uint64_t at) {
    return Client::status(
        client_->ask_extended("copy-data", source + u64(offset) + u64(length) + target + u64(at)));
  };
  EXPECT_EQ(copy(from, 0, 0, to, 0), SSH_FX_OK);
  EXPECT_EQ(copy(from, 2, 3, to, 10), SSH_FX_OK);
  EXPECT_EQ(copy(from, 0, 0, from, 0), SSH_FX_FAILURE);
  EXPECT_EQ(copy(from, 0, 0, text("nope"), 0), SSH_FX_FAILURE);
  EXPECT_EQ(client_->code(SSH_FXP_CLOSE, to), SSH_FX_OK);
  EXPECT_EQ(client_->get("/b"), "0123456789234");
}

TEST_F(SftpFiles, FsyncCommits) {
  const std::string handle = client_->open("/a", create_flags);
  client_->send(SSH_FXP_WRITE, handle + u64(0) + text("durable"));
  EXPECT_EQ(Client::status(client_->ask_extended("fsync@openssh.com", handle)), SSH_FX_OK);
  EXPECT_EQ(read_elsewhere("/a"), "durable");
}

}  // namespace
}  // namespace sftpd::sftp
