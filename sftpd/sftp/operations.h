#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>

#include "sftpd/sftp/packet_reader.h"
#include "sftpd/sftp/packet_type.h"
#include "sftpd/sftp/replies.h"
#include "sftpd/sftp/session.h"

namespace sftpd::sftp {

using Handler = Reply (*)(Session& session, PacketReader& reader);

/// A kind of request: its number, what the log calls it, and who answers it.
struct Operation {
  PacketType type;
  std::string_view name;
  Handler handle;
  Access access;
};

/// A kind of EXTENDED request, with the version that VERSION announces.
struct Extension {
  std::string_view name;
  std::string_view version;
  Handler handle;
  Access access;
};

/// The two tables.
std::span<const Operation> operations();
std::span<const Extension> extensions();

/// SSH_FXP_EXTENDED: finds the extension by its name.
Reply handle_extended(Session& session, PacketReader& reader);

namespace detail {

template <class Request>
Reply decode_and_call(Session& session, PacketReader& reader,
                      Reply (*handle)(Session&, const Request&)) {
  const Request request = Request::decode(reader);
  reader.expect_end();
  if constexpr (requires { request.path; }) {
    session.subject = request.path;
  } else if constexpr (requires { request.handle; }) {
    session.subject = session.handles.path(request.handle);
  }
  return handle(session, request);
}

}  // namespace detail

/// A Handler from a function that takes a decoded request: `Reply handle_mkdir(Session&, const
/// PathAttrsRequest&)`.
template <auto handle>
Reply answer(Session& session, PacketReader& reader) {
  return detail::decode_and_call(session, reader, handle);
}

}  // namespace sftpd::sftp
