#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sftpd/sftp/subsystem.h"
#include "tests/sftpd/sftp/memory_stream.h"
#include "tests/sftpd/sftp/wire.h"

namespace sftpd::sftp {

/// One client of a session: sends packets spelt in bytes, and finds the replies by their ids.
class Client {
 public:
  Client(vfs::FileSystem& files, const vfs::Identity& identity, const Options& options = {})
      : subsystem_(std::make_unique<Subsystem>(std::make_unique<vfs::Vfs>(files, identity), stream,
                                               options, ChannelId{1, 1})) {
    stream.incoming += wire::init();
    step();
    replies_.clear();
  }

  /// Without a step: several in one breath.
  std::uint32_t send(unsigned type, const std::string& rest) {
    stream.incoming += wire::packet(type, wire::u32(++last_id_) + rest);
    return last_id_;
  }
  std::uint32_t send_extended(std::string_view name, const std::string& rest) {
    return send(SSH_FXP_EXTENDED, wire::text(name) + rest);
  }

  std::optional<int> step() {
    const auto finished = subsystem_->step();
    for (auto& reply : wire::replies_in(stream.outgoing)) replies_.push_back(std::move(reply));
    stream.outgoing.clear();
    return finished;
  }

  bool answered(std::uint32_t id) const {
    return std::ranges::any_of(replies_, [id](const auto& reply) { return reply.id == id; });
  }

  /// Steps until the reply is there, and takes it.
  wire::Reply wait(std::uint32_t id) {
    while (true) {
      const int seen = stream.wakes();
      const auto finished = step();
      const auto reply =
          std::ranges::find_if(replies_, [id](const auto& each) { return each.id == id; });
      if (reply != replies_.end()) {
        wire::Reply taken = *reply;
        replies_.erase(reply);
        return taken;
      }
      if (finished) throw std::runtime_error("the session ended");
      stream.wait_for_wake(seen);
    }
  }

  wire::Reply ask(unsigned type, const std::string& rest) { return wait(send(type, rest)); }
  wire::Reply ask_extended(std::string_view name, const std::string& rest) {
    return wait(send_extended(name, rest));
  }
  /// Of a request that is answered with a STATUS.
  std::uint32_t code(unsigned type, const std::string& rest) { return status(ask(type, rest)); }
  static std::uint32_t status(const wire::Reply& reply) {
    if (reply.type != SSH_FXP_STATUS) throw std::runtime_error("not a STATUS");
    return reply.code();
  }

  /// The handle, as a string with its length.
  std::string open(std::string_view path, std::uint32_t pflags) {
    return handle_in(ask(SSH_FXP_OPEN, wire::text(path) + wire::u32(pflags) + wire::no_attrs()));
  }
  std::string open_directory(std::string_view path) {
    return handle_in(ask(SSH_FXP_OPENDIR, wire::text(path)));
  }
  static std::string handle_in(const wire::Reply& reply) {
    if (reply.type != SSH_FXP_HANDLE) throw std::runtime_error("not a HANDLE");
    return reply.rest;
  }

  void put(std::string_view path, std::string_view content) {
    const std::string handle = open(path, SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_TRUNC);
    send(SSH_FXP_WRITE, handle + wire::u64(0) + wire::text(content));
    if (code(SSH_FXP_CLOSE, handle) != SSH_FX_OK) throw std::runtime_error("CLOSE failed");
  }
  std::string get(std::string_view path) {
    const std::string handle = open(path, SSH_FXF_READ);
    std::string content;
    while (true) {
      const auto reply = ask(SSH_FXP_READ, handle + wire::u64(content.size()) + wire::u32(32'768));
      if (reply.type != SSH_FXP_DATA) break;
      content += reply.text_at(0);
    }
    ask(SSH_FXP_CLOSE, handle);
    return content;
  }

  /// The client vanishes.
  void vanish() { subsystem_.reset(); }

  MemoryStream stream;

 private:
  std::unique_ptr<Subsystem> subsystem_;
  std::uint32_t last_id_ = 0;
  std::vector<wire::Reply> replies_;
};

/// The fields of an ATTRS that has all of them.
struct WireAttrs {
  explicit WireAttrs(const wire::Reply& reply) : WireAttrs(reply.rest) {
    if (reply.type != SSH_FXP_ATTRS) throw std::runtime_error("not an ATTRS");
  }
  explicit WireAttrs(const std::string& bytes)
      : flags(wire::u32_at(bytes, 0)),
        size(wire::u32_at(bytes, 8)),
        uid(wire::u32_at(bytes, 12)),
        gid(wire::u32_at(bytes, 16)),
        mode(wire::u32_at(bytes, 20)),
        atime(wire::u32_at(bytes, 24)),
        mtime(wire::u32_at(bytes, 28)) {
    if (flags != 0xf) throw std::runtime_error("not all attributes");
  }
  std::uint32_t flags, size, uid, gid, mode, atime, mtime;
};

}  // namespace sftpd::sftp
