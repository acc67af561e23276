#include "sftpd/sftp/replies.h"

#include <string_view>

#include "sftpd/sftp/packet_writer.h"
#include "sftpd/sftp/status.h"

namespace sftpd::sftp {
namespace {

/// Writes an answer's packet; the overloads differ in what follows the id.
class Sender {
 public:
  Sender(ByteStream& stream, std::uint32_t id) : stream_(stream), id_(id) {}

  void operator()(const Status& status) const {
    PacketWriter packet = begin(SSH_FXP_STATUS);
    packet.write_u32(status.code);
    packet.write_string(status.message.empty() ? words_for(status.code)
                                               : std::string_view(status.message));
    packet.write_string("");  // The language, which nobody reads.
    stream_.write(packet.finish());
  }

  void operator()(const Handle& handle) const {
    PacketWriter packet = begin(SSH_FXP_HANDLE);
    packet.write_string(handle.id);
    stream_.write(packet.finish());
  }

  void operator()(const Data& data) const {
    PacketWriter packet = begin(SSH_FXP_DATA);
    packet.write_u32(static_cast<std::uint32_t>(data.bytes.size()));
    stream_.write(packet.finish(data.bytes.size()));
    stream_.write(data.bytes.bytes());
  }

  void operator()(const Names& names) const {
    PacketWriter packet = begin(SSH_FXP_NAME);
    packet.write_u32(static_cast<std::uint32_t>(names.names.size()));
    for (const Name& name : names.names) {
      packet.write_string(name.name);
      packet.write_string(name.long_name);
      write_attrs(packet, name.attrs);
    }
    stream_.write(packet.finish());
  }

  void operator()(const Attrs& attrs) const {
    PacketWriter packet = begin(SSH_FXP_ATTRS);
    write_attrs(packet, attrs);
    stream_.write(packet.finish());
  }

  void operator()(const ExtendedReply& reply) const {
    PacketWriter packet = begin(SSH_FXP_EXTENDED_REPLY);
    packet.write_raw(reply.body);
    stream_.write(packet.finish());
  }

 private:
  PacketWriter begin(PacketType type) const {
    PacketWriter packet(type);
    packet.write_u32(id_);
    return packet;
  }

  ByteStream& stream_;
  std::uint32_t id_;
};

}  // namespace

Deferred ok_when(storage::Future<void> future) {
  return {std::move(future), [] { return Status{SSH_FX_OK, {}}; }};
}

Names one_name(const std::string& path) {
  Name name{.name = path, .long_name = path, .attrs = {}};
  return {.names = {std::move(name)}};
}

void send(ByteStream& stream, std::uint32_t id, const Answer& answer) {
  std::visit(Sender(stream, id), answer);
}

}  // namespace sftpd::sftp
