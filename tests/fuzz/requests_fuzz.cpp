// Every decoder of a request on arbitrary bytes: each reads what is there or throws
// MalformedPacket.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sftpd/sftp/packet_writer.h"
#include "sftpd/sftp/requests.h"

namespace {

using namespace sftpd::sftp;

template <class Request>
void decode(const storage::Payload& packet) {
  PacketReader reader(packet);
  try {
    Request::decode(reader);
    reader.expect_end();
  } catch (const MalformedPacket&) {
  }
}

/// What was read from ATTRS, written and read again, must be the same bytes.
void repeat_attrs(const storage::Payload& packet) {
  PacketReader reader(packet);
  try {
    PacketWriter once;
    write_attrs(once, read_attrs(reader));
    const std::string bytes = std::move(once).body();
    PacketReader again(storage::Payload::copy_of(bytes));
    PacketWriter twice;
    write_attrs(twice, read_attrs(again));
    if (std::move(twice).body() != bytes) __builtin_trap();
  } catch (const MalformedPacket&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(bytes);
  const storage::Payload packet(std::vector<std::byte>(begin, begin + size));
  decode<PathRequest>(packet);
  decode<HandleRequest>(packet);
  decode<OpenRequest>(packet);
  decode<ReadRequest>(packet);
  decode<WriteRequest>(packet);
  decode<PathAttrsRequest>(packet);
  decode<HandleAttrsRequest>(packet);
  decode<RenameRequest>(packet);
  decode<SymlinkRequest>(packet);
  decode<CopyRequest>(packet);
  decode<UserRequest>(packet);
  decode<NamesByIdRequest>(packet);
  repeat_attrs(packet);
  return 0;
}
