#include "sftpd/process/lock_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace sftpd::process {
namespace {

TEST(LockFile, OnlyOneHoldsItAtATime) {
  const std::string file = testing::TempDir() + "shoebox_lock_" + std::to_string(::getpid());
  {
    const auto first = LockFile::try_lock(file);
    ASSERT_TRUE(first);
    EXPECT_FALSE(LockFile::try_lock(file));
  }
  EXPECT_TRUE(LockFile::try_lock(file));
  std::filesystem::remove(file);
}

TEST(LockFile, AMissingDirectoryIsAnError) {
  EXPECT_THROW(LockFile::try_lock("/nonexistent/lock"), std::system_error);
}

}  // namespace
}  // namespace sftpd::process
