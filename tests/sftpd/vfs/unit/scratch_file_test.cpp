#include "sftpd/vfs/writing/scratch_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "sftpd/vfs/error.h"

namespace sftpd::vfs {
namespace {

std::string read(const ScratchFile& file, std::uint64_t offset, std::size_t length) {
  std::string bytes(length, '?');
  file.read(offset, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

void write(ScratchFile& file, std::uint64_t offset, const std::string& bytes) {
  file.write(offset, std::as_bytes(std::span(bytes)));
}

TEST(ScratchFile, HoldsBytesWhereTheyAre) {
  ScratchFile file("/tmp");
  write(file, 5'000'000'000, "far");
  write(file, 10, "near");
  EXPECT_EQ(read(file, 5'000'000'000, 3), "far");
  EXPECT_EQ(read(file, 10, 4), "near");
}

TEST(ScratchFile, WhatWasNeverWrittenIsZeros) {
  ScratchFile file("/tmp");
  EXPECT_EQ(read(file, 0, 3), std::string(3, '\0'));
  write(file, 10, "x");
  EXPECT_EQ(read(file, 9, 4), std::string("\0x\0\0", 4));
}

TEST(ScratchFile, ClearedItIsZeros) {
  ScratchFile file("/tmp");
  write(file, 0, "content");
  file.clear();
  EXPECT_EQ(read(file, 0, 3), std::string(3, '\0'));
}

TEST(ScratchFile, HasNoName) {
  std::string directory = "/tmp/shoebox-scratch-test-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  {
    ScratchFile file(directory);
    write(file, 0, "secret");
    EXPECT_TRUE(std::filesystem::is_empty(directory));
  }
  std::filesystem::remove(directory);
}

TEST(ScratchFile, WithoutItsDirectoryThereIsNoSpace) {
  try {
    const ScratchFile file("/nonexistent/directory");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::no_space);
  }
}

}  // namespace
}  // namespace sftpd::vfs
