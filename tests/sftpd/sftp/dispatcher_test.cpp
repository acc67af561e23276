#include "sftpd/sftp/dispatcher.h"

#include <gtest/gtest.h>

#include <deque>

#include "sftpd/sftp/inbox.h"
#include "sftpd/sftp/request_counts.h"
#include "sftpd/sftp/requests.h"
#include "sftpd/sftp/status.h"
#include "tests/sftpd/sftp/memory_stream.h"
#include "tests/sftpd/sftp/wire.h"

namespace sftpd::sftp {
namespace {

using wire::no_attrs;
using wire::text;
using wire::u32;
using wire::u64;
using wire::operator""_hex;

/// What the injected handlers below answer later.
std::deque<storage::Promise<storage::Payload>> promises;
/// READs of the handle "line" stand in it, and those of this length are answered at once.
constexpr char line = 0;
constexpr std::uint32_t length_at_hand = 7;

Reply stat_size_of_path(Session&, const PathRequest& request) {
  Attrs attrs;
  attrs.size = request.path.size();
  return attrs;
}

Reply remove_fails(Session&, const PathRequest& request) {
  if (request.path == "vfs") throw vfs::Error(vfs::ErrorCode::not_found, "secret text");
  if (request.path == "standard") throw std::runtime_error("secret text");
  if (request.path == "strange") throw 1;
  throw Refused(SSH_FX_FAILURE, "Because");
}

Reply read_later(Session&, const ReadRequest& request) {
  promises.emplace_back();
  Deferred reply(promises.back().future(), [](storage::Payload bytes) -> Answer {
    if (bytes.empty()) return Status{SSH_FX_EOF, {}};
    return Data{std::move(bytes)};
  });
  reply.read_bytes = request.length;
  if (request.handle == "line") reply.line = &line;
  if (request.length == length_at_hand) promises.back().set_value(wire::payload("at hand"));
  return reply;
}

Reply write_later(Session&, const WriteRequest& request) {
  promises.emplace_back();
  Deferred reply(promises.back().future(), [](const storage::Payload&) -> Answer {
    return Status{SSH_FX_OK, {}};
  });
  reply.write_bytes = request.bytes.size();
  return reply;
}

Reply rename_later(Session&, const RenameRequest&) {
  promises.emplace_back();
  Deferred reply(promises.back().future(), [](const storage::Payload&) -> Answer {
    return Status{SSH_FX_OK, {}};
  });
  reply.moves_names = true;
  return reply;
}

template <auto handle>
Reply without_handles(Session& session, PacketReader& reader) {
  return []<class Request>(Session& s, PacketReader& r, Reply (*h)(Session&, const Request&)) {
    return h(s, Request::decode(r));
  }(session, reader, handle);
}

constexpr Operation injected[] = {
    {SSH_FXP_STAT, "stat", answer<stat_size_of_path>, Access::reads},
    {SSH_FXP_REMOVE, "remove", answer<remove_fails>, Access::writes},
    {SSH_FXP_READ, "read", without_handles<read_later>, Access::reads},
    {SSH_FXP_WRITE, "write", without_handles<write_later>, Access::reads},
    {SSH_FXP_RENAME, "rename", answer<rename_later>, Access::writes},
};

class Dispatching : public ::testing::Test {
 protected:
  Dispatching() { promises.clear(); }

  void start(std::span<const Operation> table = injected) {
    session_ = std::unique_ptr<Session>(new Session{.files = nullptr,
                                                    .options = options_,
                                                    .handles = HandleTable(4, 1),
                                                    .account = {},
                                                    .channel = {1, 1}});
    dispatcher_ = std::make_unique<Dispatcher>(*session_, stream_, table);
    handle(wire::init());
    stream_.outgoing.clear();
  }

  void handle(const std::string& packet) { dispatcher_->handle(wire::payload(packet.substr(4))); }

  /// What was sent since the last call.
  std::vector<wire::Reply> replies() {
    auto replies = wire::replies_in(stream_.outgoing);
    stream_.outgoing.clear();
    return replies;
  }
  wire::Reply ask(const std::string& packet) {
    handle(packet);
    const auto all = replies();
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? wire::Reply{} : all.front();
  }
  void read(std::uint32_t id, std::uint32_t length = 100, const std::string& from = "h") {
    handle(wire::packet(SSH_FXP_READ, u32(id) + text(from) + u64(0) + u32(length)));
  }
  /// The ids of the replies that leave once the promise of that number is kept.
  std::vector<std::uint32_t> ids_after(std::size_t number) {
    promises.at(number).set_value(wire::payload("bytes"));
    dispatcher_->send_ready_replies();
    std::vector<std::uint32_t> ids;
    for (const auto& reply : replies()) ids.push_back(reply.id);
    return ids;
  }

  Options options_;
  MemoryStream stream_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(Dispatching, InitIsAnsweredWithVersion3AndTheExtensions) {
  start();
  for (const auto& version : {"00000003"_hex, "00000006"_hex, "00000002"_hex}) {
    const auto reply = ask(wire::packet(SSH_FXP_INIT, version + text("pair@x") + text("1")));
    EXPECT_EQ(reply.type, SSH_FXP_VERSION);
    EXPECT_EQ(reply.id, 3U);
    EXPECT_TRUE(reply.rest.starts_with(text("posix-rename@openssh.com") + text("1") +
                                       text("statvfs@openssh.com") + text("2")));
    EXPECT_EQ(reply.rest.find("hardlink"), std::string::npos);
  }
}

TEST_F(Dispatching, ARequestBeforeInitEndsTheSession) {
  start();
  Dispatcher fresh(*session_, stream_, injected);
  EXPECT_THROW(fresh.handle(wire::payload("11 00000001 00000000"_hex)), ProtocolViolation);
}

TEST_F(Dispatching, APacketWithoutAnIdEndsTheSession) {
  start();
  EXPECT_THROW(dispatcher_->handle(wire::payload("11 000000"_hex)), ProtocolViolation);
}

TEST_F(Dispatching, ARequestIsAnsweredUnderItsId) {
  start();
  const auto reply = ask("0000000c 11 deadbeef 00000003"_hex + "abc");
  EXPECT_EQ(reply.type, SSH_FXP_ATTRS);
  EXPECT_EQ(reply.id, 0xdeadbeefU);
  EXPECT_EQ(reply.rest, "00000001 0000000000000003"_hex);
}

TEST_F(Dispatching, UnknownRequestsAndExtensionsAreUnsupported) {
  start(operations());
  const auto unknown = ask("00000005 63 00000007"_hex);
  EXPECT_EQ(unknown.type, SSH_FXP_STATUS);
  EXPECT_EQ(unknown.id, 7U);
  EXPECT_EQ(unknown.code(), SSH_FX_OP_UNSUPPORTED);
  const auto extension = ask(wire::extended(8, "hardlink@openssh.com", text("a") + text("b")));
  EXPECT_EQ(extension.code(), SSH_FX_OP_UNSUPPORTED);
}

TEST_F(Dispatching, RequestsAreCountedByWhatCameOfThem) {
  RequestCounts counts;
  options_.counts = &counts;
  start();
  ask("0000000c 11 deadbeef 00000003"_hex + "abc");
  ask("00000005 63 00000007"_hex);
  for (const char* path : {"vfs", "standard"}) {
    ask(wire::packet(SSH_FXP_REMOVE, u32(1) + text(path)));
  }
  read(2);
  const auto of = [&](std::string_view name, Outcome outcome) {
    return counts.of(name).by_outcome[static_cast<std::size_t>(outcome)].value();
  };
  const auto answered = [&](std::string_view name) {
    std::uint64_t all = 0;
    for (std::size_t i = 0; i <= Latencies::bounds.size(); ++i) {
      all += counts.of(name).latencies.in_class(i);
    }
    return all;
  };
  EXPECT_EQ(of("stat", Outcome::ok), 1U);
  EXPECT_EQ(of("unknown", Outcome::refused), 1U);
  EXPECT_EQ(of("remove", Outcome::refused), 1U) << "no such file";
  EXPECT_EQ(of("remove", Outcome::failed), 1U) << "our own trouble";
  EXPECT_EQ(answered("read"), 0U) << "not answered yet";
  ids_after(0);
  EXPECT_EQ(of("read", Outcome::ok), 1U);
  EXPECT_EQ(answered("read"), 1U);
  EXPECT_EQ(answered("remove"), 2U);
  EXPECT_EQ(counts.downloaded_bytes.value(), 5U);
}

TEST_F(Dispatching, TruncatedPathAnswersBadMessage) {
  start();
  EXPECT_EQ(ask("0000000b 11 00000001 00000003 6162"_hex).code(), SSH_FX_BAD_MESSAGE);
}

TEST_F(Dispatching, BytesBehindARequestAnswerBadMessage) {
  start();
  EXPECT_EQ(ask("0000000b 11 00000001 00000001 6162"_hex).code(), SSH_FX_BAD_MESSAGE);
}

TEST_F(Dispatching, FailuresBecomeStatusesWithoutInternalText) {
  start();
  const auto remove = [this](std::string_view path) {
    return ask(wire::packet(SSH_FXP_REMOVE, u32(1) + text(path)));
  };
  EXPECT_EQ(remove("vfs").code(), SSH_FX_NO_SUCH_FILE);
  EXPECT_EQ(remove("standard").code(), SSH_FX_FAILURE);
  EXPECT_EQ(remove("strange").code(), SSH_FX_FAILURE);
  EXPECT_EQ(remove("else").text_at(4), "Because");
  for (const char* path : {"vfs", "standard"}) {
    EXPECT_EQ(remove(path).rest.find("secret"), std::string::npos);
  }
}

TEST_F(Dispatching, AReadOnlySessionChangesNothing) {
  options_.read_only = true;
  start(operations());
  const std::string path = text("/a");
  const auto code = [this](unsigned type, const std::string& rest) {
    return ask(wire::packet(type, u32(1) + rest)).code();
  };
  EXPECT_EQ(code(SSH_FXP_REMOVE, path), SSH_FX_PERMISSION_DENIED);
  EXPECT_EQ(code(SSH_FXP_MKDIR, path + no_attrs()), SSH_FX_PERMISSION_DENIED);
  EXPECT_EQ(code(SSH_FXP_OPEN, path + u32(SSH_FXF_WRITE) + no_attrs()), SSH_FX_PERMISSION_DENIED);
  EXPECT_EQ(code(SSH_FXP_OPEN, path + u32(SSH_FXF_READ | SSH_FXF_CREAT) + no_attrs()),
            SSH_FX_PERMISSION_DENIED);
  EXPECT_EQ(ask(wire::extended(1, "posix-rename@openssh.com", path + path)).code(),
            SSH_FX_PERMISSION_DENIED);
}

TEST_F(Dispatching, LateRepliesLeaveInTheOrderInWhichTheyBecomeReady) {
  start();
  read(1);
  read(2);
  read(3);
  EXPECT_TRUE(replies().empty());
  promises[2].set_value(wire::payload("third"));
  promises[0].set_value(storage::Payload());
  EXPECT_EQ(stream_.wakes(), 2);
  dispatcher_->send_ready_replies();
  const auto sent = replies();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].id, 3U);
  EXPECT_EQ(sent[0].text_at(0), "third");
  EXPECT_EQ(sent[1].id, 1U);
  EXPECT_EQ(sent[1].code(), SSH_FX_EOF);
  EXPECT_FALSE(dispatcher_->idle());
  promises[1].set_value(wire::payload("second"));
  dispatcher_->send_ready_replies();
  EXPECT_EQ(replies().size(), 1U);
  EXPECT_TRUE(dispatcher_->idle());
}

TEST_F(Dispatching, AFailureThatComesLateIsAStatusToo) {
  start();
  read(1);
  read(2);
  promises[0].set_exception(
      std::make_exception_ptr(vfs::Error(vfs::ErrorCode::quota_exceeded, "secret text")));
  promises.pop_back();  // Broken: nobody will ever answer it.
  dispatcher_->send_ready_replies();
  const auto sent = replies();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].code(), SSH_FX_FAILURE);
  EXPECT_EQ(sent[0].text_at(4), "Quota exceeded");
  EXPECT_EQ(sent[1].code(), SSH_FX_FAILURE);
}

TEST_F(Dispatching, IsFullAtEachOfItsBounds) {
  options_.deferred_max = 3;
  options_.deferred_read_bytes_max = 250;
  options_.deferred_write_bytes_max = 10;
  start();
  read(1, 1);
  read(2, 1);
  EXPECT_FALSE(dispatcher_->full());
  read(3, 1);
  EXPECT_TRUE(dispatcher_->full());
  promises[0].set_value(storage::Payload());
  dispatcher_->send_ready_replies();
  EXPECT_FALSE(dispatcher_->full());
  read(4, 250);
  promises[1].set_value(storage::Payload());
  dispatcher_->send_ready_replies();
  EXPECT_TRUE(dispatcher_->full());
  promises[3].set_value(storage::Payload());
  dispatcher_->send_ready_replies();
  EXPECT_FALSE(dispatcher_->full());
  handle(wire::packet(SSH_FXP_WRITE, u32(5) + text("h") + u64(0) + text("ten bytes!")));
  EXPECT_TRUE(dispatcher_->full());
}

TEST_F(Dispatching, NothingOvertakesARequestThatMovesNames) {
  start();
  handle(wire::packet(SSH_FXP_RENAME, u32(1) + text("a") + text("b")));
  EXPECT_TRUE(dispatcher_->full());
  promises[0].set_value(storage::Payload());
  EXPECT_TRUE(dispatcher_->full());
  dispatcher_->send_ready_replies();
  EXPECT_FALSE(dispatcher_->full());
  EXPECT_EQ(replies().size(), 1U);
}

TEST_F(Dispatching, RepliesWaitWhileTheClientDoesNotFetchThem) {
  options_.queued_bytes_max = 10;
  start();
  stream_.window_closed = true;
  for (std::uint32_t id = 1; id <= 3; ++id) read(id);
  for (auto& promise : promises) promise.set_value(wire::payload("0123456789"));
  dispatcher_->send_ready_replies();
  EXPECT_TRUE(dispatcher_->full());
  EXPECT_EQ(replies().size(), 1U);
  dispatcher_->send_ready_replies();
  EXPECT_EQ(replies().size(), 1U);
}

// OpenSSH's scp cuts what it downloads where the replies came out of order.
TEST_F(Dispatching, RepliesOfALineLeaveInTheOrderOfTheirRequests) {
  start();
  for (std::uint32_t id = 1; id <= 3; ++id) read(id, 100, "line");
  read(4, 100, "other");
  read(5, length_at_hand, "line");
  EXPECT_TRUE(ids_after(2).empty());
  EXPECT_EQ(ids_after(3), (std::vector<std::uint32_t>{4}));
  EXPECT_EQ(ids_after(0), (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(ids_after(1), (std::vector<std::uint32_t>{2, 3, 5}));
  read(6, length_at_hand, "line");
  EXPECT_EQ(replies().size(), 1U);
  EXPECT_TRUE(dispatcher_->idle());
}

TEST_F(Dispatching, AnswersMayComeAfterTheSessionIsGone) {
  start();
  read(1);
  dispatcher_.reset();
  promises[0].set_value(wire::payload("late"));
}

}  // namespace
}  // namespace sftpd::sftp
