#include "sftpd/config/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sftpd::config {
namespace {

class SecretFile : public testing::Test {
 protected:
  SecretFile() : path_(testing::TempDir() + "shoebox_secret_" + std::to_string(::getpid())) {}
  ~SecretFile() override { std::filesystem::remove(path_); }

  void write(const std::string& text, mode_t mode) {
    std::ofstream(path_, std::ios::binary) << text;
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
  }

  std::string path_;
};

TEST_F(SecretFile, TheNewlineAtItsEndIsNotPartOfTheSecret) {
  write("s3cr3t \r\n", 0600);
  const Secret secret = read_secret_file(path_);
  EXPECT_EQ(secret.text, "s3cr3t ");
  EXPECT_EQ(secret.warning, "");
}

TEST_F(SecretFile, WhatEverybodyCanReadIsWarnedAbout) {
  write("s3cr3t", 0644);
  const Secret secret = read_secret_file(path_);
  EXPECT_EQ(secret.text, "s3cr3t");
  EXPECT_NE(secret.warning.find("chmod 600"), std::string::npos);
  EXPECT_EQ(secret.warning.find("s3cr3t"), std::string::npos);
}

TEST_F(SecretFile, EmptyMissingAndHugeFilesAreErrors) {
  EXPECT_THROW(read_secret_file(path_), Error);
  write("\n", 0600);
  EXPECT_THROW(read_secret_file(path_), Error);
  write(std::string(70'000, 'x'), 0600);
  EXPECT_THROW(read_secret_file(path_), Error);
  EXPECT_THROW(read_secret_file(testing::TempDir()), Error);
}

}  // namespace
}  // namespace sftpd::config
