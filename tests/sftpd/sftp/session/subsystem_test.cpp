#include "sftpd/sftp/subsystem.h"

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

class SftpSubsystem : public SessionTest {
 protected:
  std::unique_ptr<Client> connect(const Options& session_options = {}) {
    return std::make_unique<Client>(*files, identity, session_options);
  }
};

TEST_F(SftpSubsystem, EndsWithZeroWhenTheClientHasItsLastReply) {
  const auto client = connect();
  const auto stat = client->send(SSH_FXP_STAT, text("/"));
  client->stream.client_ended = true;
  EXPECT_EQ(client->step(), 0);
  EXPECT_TRUE(client->answered(stat));
}

TEST_F(SftpSubsystem, WaitsForLateRepliesBeforeItEnds) {
  store.add({.operation = vfs::Operation::put, .fault = vfs::Fault::hold});
  const auto client = connect();
  const std::string handle = client->open("/a", SSH_FXF_WRITE | SSH_FXF_CREAT);
  client->send(SSH_FXP_WRITE, handle + u64(0) + text(noise(20'000)));
  const auto close = client->send(SSH_FXP_CLOSE, handle);
  client->stream.client_ended = true;
  EXPECT_FALSE(client->step());
  store.wait_until_held(1);
  store.release();
  EXPECT_EQ(Client::status(client->wait(close)), SSH_FX_OK);
  EXPECT_EQ(client->step(), 0);
}

TEST_F(SftpSubsystem, EndsWithOneAtBytesThatAreNoPackets) {
  for (const auto& bytes : {"00000000"_hex, "7fffffff"_hex, "00000002 1100"_hex}) {
    const auto client = connect();
    client->stream.incoming += bytes;
    EXPECT_EQ(client->step(), 1);
  }
}

TEST_F(SftpSubsystem, OneStepLeavesTimeForOtherChannels) {
  Options small;
  small.step_requests_max = 10;
  const auto client = connect(small);
  std::uint32_t last = 0;
  for (int i = 0; i < 25; ++i) last = client->send(SSH_FXP_STAT, text("/"));
  const int wakes = client->stream.wakes();
  client->step();
  EXPECT_TRUE(client->answered(last - 15));
  EXPECT_FALSE(client->answered(last - 14));
  EXPECT_EQ(client->stream.wakes(), wakes + 1);
  client->wait(last);
}

TEST_F(SftpSubsystem, ReadsNothingMoreWhileTheClientDoesNotFetchReplies) {
  put("/large", noise(300'000));
  Options small;
  small.queued_bytes_max = 200'000;
  const auto client = connect(small);
  const std::string handle = client->open("/large", SSH_FXF_READ);
  client->ask(SSH_FXP_READ, handle + u64(0) + u32(261'120));  // Now it is in the cache.
  client->stream.window_closed = true;
  std::uint32_t last = 0;
  for (int i = 0; i < 100; ++i) {
    last = client->send(SSH_FXP_READ, handle + u64(0) + u32(100'000));
  }
  client->stream.incoming += std::string(1'000'000, '\0');  // What must not be taken in.
  client->step();
  EXPECT_GE(client->stream.unread(), 900'000U);
  EXPECT_FALSE(client->answered(last));
}

TEST_F(SftpSubsystem, AFloodOfReadsIsBounded) {
  put("/large", noise(300'000));
  client_ = nullptr;
  restart();
  store.add({.operation = vfs::Operation::get, .fault = vfs::Fault::hold, .times = 1000});
  Options small;
  small.deferred_max = 5;
  const auto client = connect(small);
  const std::string handle = client->open("/large", SSH_FXF_READ);
  for (int i = 0; i < 50; ++i) {
    client->send(SSH_FXP_READ, handle + u64(0) + u32(1'000));
  }
  const auto stat = client->send(SSH_FXP_STAT, text("/"));
  client->step();
  EXPECT_FALSE(client->answered(stat)) << "requests behind the bound wait";
  store.clear();
  store.release();
  client->wait(stat);
}

TEST_F(SftpSubsystem, HandlesAreBounded) {
  Options small;
  small.handles_max = 2;
  const auto client = connect(small);
  const std::string first = client->open_directory("/");
  client->open_directory("/");
  EXPECT_EQ(client->code(SSH_FXP_OPENDIR, text("/")), SSH_FX_FAILURE);
  EXPECT_EQ(
      client->code(SSH_FXP_OPEN, text("/new") + u32(SSH_FXF_WRITE | SSH_FXF_CREAT) + no_attrs()),
      SSH_FX_FAILURE);
  EXPECT_FALSE(exists("/new")) << "nothing is created for a handle that there cannot be";
  EXPECT_EQ(client->code(SSH_FXP_CLOSE, first), SSH_FX_OK);
  client->open_directory("/");
}

TEST_F(SftpSubsystem, TwoSessionsSeeEachOthersEffectsAtOnce) {
  const auto one = connect();
  const auto two = connect();
  const std::string handle = one->open("/a", SSH_FXF_WRITE | SSH_FXF_CREAT);
  EXPECT_EQ(one->code(SSH_FXP_WRITE, handle + u64(0) + text("12345")), SSH_FX_OK);
  EXPECT_EQ(WireAttrs(two->ask(SSH_FXP_STAT, text("/a"))).size, 5U);
  EXPECT_EQ(two->code(SSH_FXP_MKDIR, text("/d") + no_attrs()), SSH_FX_OK);
  EXPECT_EQ(WireAttrs(one->ask(SSH_FXP_STAT, text("/d"))).mode & 0170000U, 0040000U);
}

}  // namespace
}  // namespace sftpd::sftp
