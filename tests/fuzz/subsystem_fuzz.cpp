// A whole session on an arbitrary byte stream, with the real handlers on a tree in memory. The
// first byte of the input says in what pieces the rest arrives and how answers that come later end.
// What is sent must be whole packets, and no more replies than there were requests.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "sftpd/log/log.h"
#include "sftpd/sftp/subsystem.h"
#include "tests/fuzz/tree_in_memory.h"
#include "tests/sftpd/sftp/memory_stream.h"

namespace {

constexpr int steps_max = 10'000;

std::uint32_t u32_at(const std::string& bytes, std::size_t offset) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = (value << 8) | static_cast<std::uint8_t>(bytes[offset + i]);
  }
  return value;
}

/// Whole packets in a stream; traps if something is left over and `whole` says that nothing may be.
std::size_t packets_in(const std::string& stream, bool whole) {
  std::size_t packets = 0;
  std::size_t offset = 0;
  while (stream.size() - offset >= 4 && u32_at(stream, offset) <= stream.size() - offset - 4) {
    offset += 4 + u32_at(stream, offset);
    ++packets;
  }
  if (whole && offset != stream.size()) __builtin_trap();
  return packets;
}

void be_quiet() {
  static const bool started = [] {
    sftpd::log::start({.level = sftpd::log::Level::error});
    return true;
  }();
  static_cast<void>(started);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  be_quiet();
  const std::uint8_t manner = bytes[0];
  sftpd::MemoryStream stream;
  stream.incoming.assign(reinterpret_cast<const char*>(bytes + 1), size - 1);
  stream.client_ended = true;
  stream.bytes_per_read_max = 1 + manner % 64U;

  sftpd::vfs::FileSystem files;
  files.add("/file", sftpd::vfs::NodeKind::file, "content");
  files.add("/dir", sftpd::vfs::NodeKind::directory, "");
  files.add("/link", sftpd::vfs::NodeKind::symlink, "file");
  sftpd::vfs::Identity identity;
  identity.name = "alice";
  sftpd::sftp::Options options;
  options.handles_max = 8;
  options.deferred_max = 4;
  options.step_requests_max = 3;
  options.first_handle = 1;
  options.now = [] { return 0; };
  sftpd::sftp::Subsystem subsystem(std::make_unique<sftpd::vfs::Vfs>(files, identity), stream,
                                   options, {1, 1});

  for (int step = 0; step < steps_max && !subsystem.step(); ++step) {
    files.complete_one((manner & 0x40) == 0);
  }
  if (packets_in(stream.outgoing, true) > packets_in(stream.incoming, false)) __builtin_trap();
  return 0;
}
