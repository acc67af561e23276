// Every request we know, cut short and with lengths that lie: the answer is BAD_MESSAGE, or that
// there is no such handle, and never anything that touches a file.

#include <gtest/gtest.h>

#include "sftpd/sftp/dispatcher.h"
#include "tests/sftpd/sftp/memory_stream.h"
#include "tests/sftpd/sftp/wire.h"

namespace sftpd::sftp {
namespace {

using wire::text;
using wire::u32;
using wire::u64;
using wire::operator""_hex;

/// A valid request, behind its type and id, as pieces: those that begin with a length field apart.
struct Valid {
  unsigned type;
  std::vector<std::string> pieces;

  std::string whole() const {
    std::string bytes;
    for (const auto& piece : pieces) bytes += piece;
    return bytes;
  }
};

std::vector<Valid> extension(const char* name, std::vector<std::string> pieces) {
  pieces.insert(pieces.begin(), text(name));
  return {{SSH_FXP_EXTENDED, std::move(pieces)}};
}

std::vector<Valid> all_requests() {
  const std::string path = text("/some/path");
  const std::string handle = text("0000002a"_hex);
  const std::string attrs =
      "0000000f 0000000000000001 00000001 00000001 000001a4 00000005 00000006"_hex;
  const std::string pairs = "80000000 00000001"_hex;
  std::vector<Valid> requests = {
      {SSH_FXP_OPEN, {path, u32(SSH_FXF_READ), pairs, text("a@b"), text("c")}},
      {SSH_FXP_CLOSE, {handle}},
      {SSH_FXP_READ, {handle, u64(0), u32(100)}},
      {SSH_FXP_WRITE, {handle, u64(0), text("bytes")}},
      {SSH_FXP_LSTAT, {path}},
      {SSH_FXP_FSTAT, {handle}},
      {SSH_FXP_SETSTAT, {path, attrs}},
      {SSH_FXP_FSETSTAT, {handle, attrs}},
      {SSH_FXP_OPENDIR, {path}},
      {SSH_FXP_READDIR, {handle}},
      {SSH_FXP_REMOVE, {path}},
      {SSH_FXP_MKDIR, {path, attrs}},
      {SSH_FXP_RMDIR, {path}},
      {SSH_FXP_REALPATH, {path}},
      {SSH_FXP_STAT, {path}},
      {SSH_FXP_RENAME, {path, path}},
      {SSH_FXP_READLINK, {path}},
      {SSH_FXP_SYMLINK, {path, path}},
  };
  for (const auto& more :
       {extension("posix-rename@openssh.com", {path, path}),
        extension("statvfs@openssh.com", {path}), extension("fstatvfs@openssh.com", {handle}),
        extension("fsync@openssh.com", {handle}), extension("lsetstat@openssh.com", {path, attrs}),
        extension("limits@openssh.com", {}), extension("expand-path@openssh.com", {path}),
        extension("copy-data", {handle, u64(0), u64(0), handle, u64(0)}),
        extension("home-directory", {path}),
        extension("users-groups-by-id@openssh.com", {text(u32(1)), text(u32(2))})}) {
    requests.insert(requests.end(), more.begin(), more.end());
  }
  return requests;
}

class HostileRequests : public ::testing::Test {
 protected:
  HostileRequests() {
    dispatcher_.handle(wire::payload(wire::init().substr(4)));
    stream_.outgoing.clear();
  }

  std::uint32_t code_of(unsigned type, const std::string& rest) {
    stream_.outgoing.clear();
    dispatcher_.handle(wire::payload(wire::packet(type, u32(9) + rest).substr(4)));
    const auto replies = wire::replies_in(stream_.outgoing);
    EXPECT_EQ(replies.size(), 1U);
    EXPECT_EQ(replies.at(0).id, 9U);
    EXPECT_EQ(replies.at(0).type, SSH_FXP_STATUS);
    return replies.at(0).code();
  }

  Options options_;
  MemoryStream stream_;
  Session session_{.files = nullptr,
                   .options = options_,
                   .handles = HandleTable(4, 1),
                   .account = {},
                   .channel = {1, 1}};
  Dispatcher dispatcher_{session_, stream_, operations()};
};

TEST_F(HostileRequests, EveryPrefixAnswersBadMessage) {
  for (const Valid& request : all_requests()) {
    const std::string whole = request.whole();
    for (std::size_t length = 0; length < whole.size(); ++length) {
      EXPECT_EQ(code_of(request.type, whole.substr(0, length)), SSH_FX_BAD_MESSAGE)
          << "type " << request.type << " cut to " << length;
    }
  }
}

TEST_F(HostileRequests, OneByteTooManyAnswersBadMessage) {
  for (const Valid& request : all_requests()) {
    if (request.type == SSH_FXP_WRITE) continue;  // rclone sends more: see WriteRequest.
    EXPECT_EQ(code_of(request.type, request.whole() + '\0'), SSH_FX_BAD_MESSAGE)
        << "type " << request.type;
  }
}

TEST_F(HostileRequests, EveryLyingLengthAnswersBadMessage) {
  for (Valid request : all_requests()) {
    for (std::string& piece : request.pieces) {
      const bool has_length = piece.size() >= 4 && wire::u32_at(piece, 0) == piece.size() - 4;
      if (!has_length) continue;
      const std::string honest = piece;
      for (const std::uint32_t lie : {0xffffffffU, 0x7fffffffU, 0x80000000U, 0x10000U}) {
        piece = u32(lie) + honest.substr(4);
        EXPECT_EQ(code_of(request.type, request.whole()), SSH_FX_BAD_MESSAGE)
            << "type " << request.type;
      }
      piece = honest;
    }
  }
}

TEST_F(HostileRequests, UnknownHandlesAnswerFailure) {
  for (const unsigned type : {SSH_FXP_CLOSE, SSH_FXP_FSTAT, SSH_FXP_READDIR}) {
    for (const auto& handle : {""_hex, "0000002a"_hex, "0102"_hex}) {
      EXPECT_EQ(code_of(type, text(handle)), SSH_FX_FAILURE);
    }
  }
  EXPECT_EQ(code_of(SSH_FXP_WRITE, text("nope") + u64(0) + text("x")), SSH_FX_FAILURE);
  EXPECT_EQ(code_of(SSH_FXP_READ, text("nope") + u64(0) + u32(1)), SSH_FX_FAILURE);
}

}  // namespace
}  // namespace sftpd::sftp
