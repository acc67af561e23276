#pragma once

#include <memory>
#include <string_view>

#include "sftpd/byte_stream.h"
#include "sftpd/sftp/options.h"
#include "sftpd/vfs/vfs.h"

namespace sftpd::exec {

/// Who asks for a program, and what it works on.
struct Client {
  std::unique_ptr<vfs::Vfs> files;
  ByteStream& stream;  ///< outlives the program
  sftp::Options sftp_options = {};
  ChannelId channel = {};
};

/// What runs for "subsystem"; null if we have none of that name.
std::unique_ptr<ChannelProgram> make_subsystem(std::string_view name, Client client);

/// What runs for "exec": a row of the table in programs.cpp. Never null: an unknown command gets a
/// program that says so and ends with 127, as a shell would; rclone concludes from it that there
/// are no checksums, and goes on without.
std::unique_ptr<ChannelProgram> make_program(std::string_view command_line, Client client);

}  // namespace sftpd::exec
