#include "sftpd/exec/programs.h"

#include <gtest/gtest.h>

#include "tests/sftpd/sftp/memory_stream.h"

namespace sftpd::exec {
namespace {

Client client_on(MemoryStream& stream) {
  return {.files = nullptr, .stream = stream, .sftp_options = {}, .channel = {1, 1}};
}

struct Ended {
  std::optional<int> exit_status;
  std::string output;
  std::string errors;
};

Ended run(std::string_view command_line) {
  MemoryStream stream;
  const auto program = make_program(command_line, client_on(stream));
  const auto exit_status = program->step();
  return {exit_status, stream.outgoing, stream.errors};
}

// What rclone asks first, and what it asks next: both lead to "no checksums".
TEST(Programs, UnknownCommandsEndAsInAShell) {
  for (const char* line : {"echo ${ShellId}%ComSpec%", "md5sum", "sha1sum '/a b'"}) {
    const Ended ended = run(line);
    EXPECT_EQ(ended.exit_status, 127);
    EXPECT_EQ(ended.output, "");
    EXPECT_TRUE(ended.errors.ends_with(": command not found\n")) << ended.errors;
  }
  EXPECT_EQ(run("md5sum").errors, "shoebox: md5sum: command not found\n");
}

TEST(Programs, LinesThatAreNoneAreRefusedToo) {
  for (const char* line : {"", "   ", "'open", "''"}) EXPECT_EQ(run(line).exit_status, 127);
}

TEST(Programs, WhatIsRepeatedToTheClientIsPrintableAndShort) {
  const Ended ended = run("'\x1b[2Jevil\n'" + std::string(10'000, 'x'));
  EXPECT_EQ(ended.errors.find('\x1b'), std::string::npos);
  EXPECT_LT(ended.errors.size(), 200U);
}

TEST(Programs, TheOldScpIsToldWhatToDo) {
  const Ended ended = run("scp -r -t /photos");
  EXPECT_EQ(ended.exit_status, 1);
  EXPECT_NE(ended.errors.find("without -O"), std::string::npos);
}

TEST(Programs, OtherSubsystemsAreRefused) {
  MemoryStream stream;
  EXPECT_EQ(make_subsystem("netconf", client_on(stream)), nullptr);
  EXPECT_EQ(make_subsystem("", client_on(stream)), nullptr);
}

}  // namespace
}  // namespace sftpd::exec
