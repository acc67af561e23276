#include <gtest/gtest.h>

#include "sftpd/exec/programs.h"
#include "tests/sftpd/sftp/session/session_fixture.h"

namespace sftpd::sftp {
namespace {

using Commands = SessionTest;

// What WinSCP and `sftp -s /usr/lib/openssh/sftp-server` ask for.
TEST_F(Commands, TheServersPathIsTheSubsystem) {
  for (const char* line : {"/usr/lib/openssh/sftp-server", "internal-sftp -l INFO"}) {
    MemoryStream stream;
    const auto program = exec::make_program(
        line, {.files = std::make_unique<vfs::Vfs>(*files, identity), .stream = stream});
    stream.incoming = wire::init();
    EXPECT_FALSE(program->step());
    EXPECT_EQ(wire::replies_in(stream.outgoing).at(0).type, SSH_FXP_VERSION);
  }
}

}  // namespace
}  // namespace sftpd::sftp
