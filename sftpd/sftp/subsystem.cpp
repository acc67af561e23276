#include "sftpd/sftp/subsystem.h"

#include <random>
#include <utility>

#include "sftpd/log/log.h"
#include "sftpd/sftp/dispatcher.h"
#include "sftpd/sftp/inbox.h"
#include "sftpd/sftp/operations.h"
#include "sftpd/sftp/request_counts.h"
#include "sftpd/sftp/session.h"
#include "sftpd/sftp/transfer_line.h"

namespace sftpd::sftp {

namespace {

HandleTable no_handles(const Options& options) {
  return {options.handles_max,
          options.first_handle ? *options.first_handle : std::uint32_t{std::random_device()()}};
}

Session session_of(std::unique_ptr<vfs::Vfs> files, const Options& options, ChannelId channel) {
  const vfs::Identity& user = files->identity();
  Account account{.uid = user.uid, .gid = user.gid, .name = user.name};
  return {.files = std::move(files),
          .options = options,
          .handles = no_handles(options),
          .account = std::move(account),
          .channel = channel};
}

}  // namespace

class Subsystem::Loop {
 public:
  Loop(std::unique_ptr<vfs::Vfs> files, ByteStream& stream, Options options, ChannelId channel)
      : options_(std::move(options)),
        stream_(stream),
        waker_(stream.waker()),
        session_(session_of(std::move(files), options_, channel)),
        inbox_(options_.packet_length_max + options_.packet_overshoot_max),
        dispatcher_(session_, stream, operations()) {
    if (options_.counts) options_.counts->sessions.add(1);
  }

  ~Loop() {
    if (options_.counts) options_.counts->sessions.add(-1);
    for (const auto& file : session_.handles.files()) {
      TransferLine(session_, *file).write("the client left without closing it");
    }
  }

  std::optional<int> step() {
    try {
      dispatcher_.send_ready_replies();
      const bool starved = answer_requests();
      inbox_.settle();
      if (!starved || !stream_.at_eof()) return {};
    } catch (const ProtocolViolation& violation) {
      log::warning("sftp session ended", {{"conn", session_.channel.connection},
                                          {"channel", session_.channel.number},
                                          {"reason", violation.what()}});
      return 1;
    }
    if (!dispatcher_.idle()) return {};
    return 0;
  }

 private:
  /// Stops when it is others' turn, when the client has to fetch its replies first, or, returning
  /// true, when no further request has arrived.
  bool answer_requests() {
    std::size_t bytes = 0;
    for (std::size_t requests = 0; !dispatcher_.full(); ++requests) {
      if (requests == options_.step_requests_max || bytes >= options_.step_bytes_max) {
        waker_();
        return false;
      }
      auto packet = inbox_.next(stream_);
      if (!packet) return true;
      bytes += packet->size();
      dispatcher_.handle(std::move(*packet));
    }
    return false;
  }

  const Options options_;
  ByteStream& stream_;
  const std::function<void()> waker_;
  Session session_;
  Inbox inbox_;
  Dispatcher dispatcher_;
};

Subsystem::Subsystem(std::unique_ptr<vfs::Vfs> files, ByteStream& stream, Options options,
                     ChannelId channel)
    : loop_(std::make_unique<Loop>(std::move(files), stream, std::move(options), channel)) {}

Subsystem::~Subsystem() = default;

std::optional<int> Subsystem::step() { return loop_->step(); }

}  // namespace sftpd::sftp
