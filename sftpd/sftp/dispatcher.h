#pragma once

#include <cstdint>
#include <exception>
#include <span>

#include "sftpd/byte_stream.h"
#include "sftpd/sftp/deferred_replies.h"
#include "sftpd/sftp/operations.h"
#include "sftpd/sftp/session.h"
#include "storage/payload.h"

namespace sftpd::sftp {

/// Gives each request exactly one reply: the only place that sends them, and the only one on their
/// way that catches what handlers throw. Lives on the connection's thread.
class Dispatcher {
 public:
  /// All of them must outlive it. `table` is operations(), but for tests.
  Dispatcher(Session& session, ByteStream& stream, std::span<const Operation> table);

  /// Runs one packet (without its length field). Throws ProtocolViolation if it cannot even be
  /// answered: no INIT came before it, or it has no id.
  void handle(storage::Payload packet);

  /// Sends the replies that have become ready, until too much is queued to the client.
  void send_ready_replies();

  /// As many requests are under way, or bytes on their way, as may be, or one that moves names.
  bool full() const;
  /// Every request is answered.
  bool idle() const { return deferred_.size() == 0; }

 private:
  void answer_init(PacketReader& reader);
  Reply run(std::uint8_t type, Question& question, PacketReader& reader);
  Reply call(std::uint8_t type, PacketReader& reader);
  Answer finish(Question& question, Deferred& deferred);
  Status fail(Question& question, std::exception_ptr exception);
  void reply(const Question& question, const Answer& answer);
  bool too_much_is_read() const;

  Session& session_;
  ByteStream& stream_;
  std::span<const Operation> table_;
  DeferredReplies deferred_;
  bool greeted_ = false;
};

}  // namespace sftpd::sftp
