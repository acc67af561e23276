// Each upload has its line in the log, with what became of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "tests/sftpd/sftp/session/session_fixture.h"

namespace sftpd::sftp {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using vfs::noise;
using wire::u64;

class TransferLines : public SessionTest {
 protected:
  TransferLines() { ::testing::internal::CaptureStderr(); }
  ~TransferLines() override {
    if (!ended_) end();
  }

  /// Sends an upload that needs the store, and its CLOSE, whose number it returns.
  std::uint32_t upload(const std::string& path) {
    const std::string handle = client_->open(path, SSH_FXF_WRITE | SSH_FXF_CREAT | SSH_FXF_TRUNC);
    client_->send(SSH_FXP_WRITE, handle + u64(0) + text(noise(20'000)));
    return client_->send(SSH_FXP_CLOSE, handle);
  }

  /// Ends the client and the process; what was written about transfers.
  std::vector<std::string> lines() {
    std::istringstream log(end());
    std::vector<std::string> found;
    for (std::string line; std::getline(log, line);) {
      if (line.find(" transfer ") != std::string::npos) found.push_back(line);
    }
    return found;
  }

 private:
  std::string end() {
    ended_ = true;
    client_->vanish();
    restart();
    return ::testing::internal::GetCapturedStderr();
  }

  bool ended_ = false;
};

TEST_F(TransferLines, AnUploadNamesItsClose) {
  const auto close = upload("/a");
  EXPECT_EQ(Client::status(client_->wait(close)), SSH_FX_OK);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("info transfer conn=1 channel=1 req=" +
                                             std::to_string(close) + " user=")));
}

TEST_F(TransferLines, AClientThatHangsUpBehindItsCloseHasItsLine) {
  store.add({.operation = vfs::Operation::put, .fault = vfs::Fault::hold});
  upload("/a");
  client_->step();
  store.wait_until_held(1);
  client_->vanish();
  store.release();
  EXPECT_THAT(lines(), ElementsAre(AllOf(HasSubstr("info transfer "),
                                         HasSubstr("path=/a read=0 written=20000"))));
}

TEST_F(TransferLines, SoHasACommitThatFailsBehindItsBack) {
  store.add({.operation = vfs::Operation::put, .fault = vfs::Fault::hold});
  store.add({.operation = vfs::Operation::put, .fault = vfs::Fault::refuse, .times = 100});
  store.add(
      {.operation = vfs::Operation::create_upload, .fault = vfs::Fault::refuse, .times = 100});
  upload("/a");
  upload("/b");
  client_->step();
  store.wait_until_held(1);
  client_->vanish();
  store.release();
  EXPECT_THAT(lines(), ::testing::UnorderedElementsAre(
                           AllOf(HasSubstr("info transfer "), HasSubstr("path=/")),
                           AllOf(HasSubstr("warning transfer failed "), HasSubstr("path=/"),
                                 HasSubstr("written=20000"), HasSubstr(" reason="))));
}

}  // namespace
}  // namespace sftpd::sftp
