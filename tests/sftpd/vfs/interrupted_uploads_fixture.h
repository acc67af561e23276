#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/local/local_object_store.h"
#include "tests/sftpd/vfs/vfs_fixture.h"
#include "tests/support/metadata/temporary_directory.h"

namespace sftpd::vfs {

/// Two servers on one database and one local store: one here, and one that is killed while it
/// uploads.
class InterruptedUploadTest : public VfsTest {
 protected:
  InterruptedUploadTest() : local({.directory = directory.path()}), failing(local) {
    options.inline_max = 0;
    start();
  }
  ~InterruptedUploadTest() override {
    tree = nullptr;
    process = nullptr;
  }

  /// A process on the same database and the local store.
  void start() {
    tree = nullptr;
    process = nullptr;
    process = std::make_unique<FileSystem>(scratch.database(), failing, options);
    tree = std::make_unique<Vfs>(*process, identity);
  }

  /// Another process writes these ranges of uploaded() to the file and is killed then. While it
  /// waits at a ".", `meanwhile` is done.
  void upload_and_die(const std::string& flags, const std::string& path,
                      const std::vector<std::string>& ranges,
                      const std::function<void()>& meanwhile = {}) {
    std::vector<std::string> arguments = {WRITER_PROGRAM,
                                          scratch.url(),
                                          directory.path(),
                                          std::to_string(identity.account.value),
                                          std::to_string(identity.user.value),
                                          flags,
                                          path};
    arguments.insert(arguments.end(), ranges.begin(), ranges.end());
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    int input[2];
    int output[2];
    ASSERT_EQ(::pipe(input), 0);
    ASSERT_EQ(::pipe(output), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(input[0], STDIN_FILENO);
      ::dup2(output[1], STDOUT_FILENO);
      ::execv(WRITER_PROGRAM, pointers.data());
      ::_exit(127);
    }
    ::close(input[0]);
    ::close(output[1]);
    for (auto waits = std::ranges::count(ranges, "."); waits > 0; --waits) {
      expect_written(output[0]);
      meanwhile();
      EXPECT_EQ(::write(input[1], ".", 1), 1);
    }
    expect_written(output[0]);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(input[1]);
    ::close(output[0]);
    end_leases();
  }
  static void expect_written(int output) {
    std::string said(8, '\0');
    EXPECT_EQ(::read(output, said.data(), said.size()), 8);
    EXPECT_EQ(said, "written\n");
  }
  void end_leases() {
    scratch.execute(
        "UPDATE objects SET lease_until = now() - interval '1 second'"
        " WHERE state = 'staging'");
  }

  static std::string uploaded() { return noise(8'000'000, 7); }

  void put_here(const std::string& path, const std::string& content) {
    const auto handle =
        tree->open_file(path, {.write = true, .create = true, .truncate = true}, {});
    write_all(*handle, content);
    handle->close().get();
  }
  std::string content_of(const std::string& path) {
    start();
    return read(*tree->open_file(path, {.read = true}, {}));
  }

  tests::TemporaryDirectory directory;
  storage::local::LocalObjectStore local;
  test_support::FailingObjectStore failing;
  std::unique_ptr<FileSystem> process;
  std::unique_ptr<Vfs> tree;
};

}  // namespace sftpd::vfs
