#include "sftpd/sftp/dispatcher.h"

#include <algorithm>
#include <string>
#include <utility>

#include "sftpd/log/log.h"
#include "sftpd/sftp/inbox.h"
#include "sftpd/sftp/packet_writer.h"
#include "sftpd/sftp/status.h"

namespace sftpd::sftp {
namespace {

constexpr std::size_t type_and_id_bytes = 5;

}  // namespace

Dispatcher::Dispatcher(Session& session, ByteStream& stream, std::span<const Operation> table)
    : session_(session), stream_(stream), table_(table), deferred_(stream.waker()) {}

void Dispatcher::handle(storage::Payload packet) {
  PacketReader reader(std::move(packet));
  if (reader.remaining() < type_and_id_bytes) throw ProtocolViolation("a packet without an id");
  const std::uint8_t type = reader.read_u8();
  if (type == SSH_FXP_INIT) return answer_init(reader);
  if (!greeted_) throw ProtocolViolation("a request before INIT");

  Question question{.id = reader.read_u32(),
                    .operation = "unknown",
                    .subject = {},
                    .arrived = std::chrono::steady_clock::now()};
  Reply outcome = run(type, question, reader);
  auto* deferred = std::get_if<Deferred>(&outcome);
  if (deferred == nullptr) return reply(question, std::get<Answer>(outcome));
  const bool its_turn = !deferred_.has_to_queue(*deferred);
  if (its_turn && deferred->ready()) return reply(question, finish(question, *deferred));
  deferred_.add(std::move(question), std::move(*deferred));
}

// Section 4. Whatever version the client speaks it is told ours, as OpenSSH does: lftp says 6. The
// pairs of extensions behind it mean nothing to us.
void Dispatcher::answer_init(PacketReader& reader) {
  const std::uint32_t version = reader.read_u32();
  log::debug("sftp started", {{"conn", session_.channel.connection},
                              {"channel", session_.channel.number},
                              {"version", version}});
  PacketWriter packet(SSH_FXP_VERSION);
  packet.write_u32(protocol_version);
  for (const Extension& extension : extensions()) {
    packet.write_string(extension.name);
    packet.write_string(extension.version);
  }
  stream_.write(packet.finish());
  greeted_ = true;
}

Reply Dispatcher::run(std::uint8_t type, Question& question, PacketReader& reader) {
  session_.request = question.id;
  session_.subject.clear();
  session_.operation = "unknown";
  try {
    Reply reply = call(type, reader);
    question.operation = session_.operation;
    question.subject = session_.subject;
    return reply;
  } catch (...) {
    question.operation = session_.operation;
    question.subject = session_.subject;
    return fail(question, std::current_exception());
  }
}

Reply Dispatcher::call(std::uint8_t type, PacketReader& reader) {
  const auto operation = std::ranges::find(table_, type, &Operation::type);
  if (operation == table_.end()) {
    throw Refused(SSH_FX_OP_UNSUPPORTED, "Unknown request " + std::to_string(type));
  }
  session_.operation = operation->name;
  session_.expect_allowed(operation->access);
  return operation->handle(session_, reader);
}

Answer Dispatcher::finish(Question& question, Deferred& deferred) {
  try {
    return deferred.take();
  } catch (...) {
    return fail(question, std::current_exception());
  }
}

Status Dispatcher::fail(Question& question, std::exception_ptr exception) {
  Failure failure = failure_of(std::move(exception));
  question.outcome = failure.level >= log::Level::warning ? Outcome::failed : Outcome::refused;
  log::write(failure.level, "sftp request failed",
             {{"conn", session_.channel.connection},
              {"channel", session_.channel.number},
              {"req", question.id},
              {"operation", question.operation},
              {"path", question.subject},
              {"code", static_cast<std::uint32_t>(failure.status.code)},
              {"reason", failure.log_text}});
  return std::move(failure.status);
}

void Dispatcher::reply(const Question& question, const Answer& answer) {
  if (RequestCounts* counts = session_.options.counts) {
    auto& operation = counts->of(question.operation);
    operation.by_outcome[static_cast<std::size_t>(question.outcome)].add();
    operation.latencies.add(std::chrono::steady_clock::now() - question.arrived);
    if (const auto* data = std::get_if<Data>(&answer)) {
      counts->downloaded_bytes.add(data->bytes.size());
    }
  }
  send(stream_, question.id, answer);
}

void Dispatcher::send_ready_replies() {
  while (stream_.queued_bytes() <= session_.options.queued_bytes_max) {
    auto ready = deferred_.take_ready();
    if (!ready) return;
    reply(ready->question, finish(ready->question, ready->deferred));
  }
}

/// What is read for a client that does not fetch it lies in memory. The more clients read, the less
/// each may ask for ahead.
bool Dispatcher::too_much_is_read() const {
  const Options& options = session_.options;
  const std::uint64_t bytes = deferred_.read_bytes();
  if (bytes >= options.deferred_read_bytes_max) return true;
  return bytes >= options.deferred_read_bytes_least &&
         bytes >= 2 * session_.files->read_ahead_max();
}

bool Dispatcher::full() const {
  const Options& options = session_.options;
  return deferred_.names_are_moving() || deferred_.size() >= options.deferred_max ||
         too_much_is_read() || deferred_.write_bytes() >= options.deferred_write_bytes_max ||
         stream_.queued_bytes() > options.queued_bytes_max;
}

}  // namespace sftpd::sftp
