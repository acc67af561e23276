#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "metadata/repositories/accounts.h"
#include "metadata/repositories/nodes.h"
#include "metadata/repositories/users.h"
#include "sftpd/vfs/error.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/vfs.h"
#include "sftpd/vfs/writing/memory_pool.h"
#include "tests/sftpd/vfs/noise.h"
#include "tests/support/failing_object_store.h"
#include "tests/support/memory_object_store.h"
#include "tests/support/metadata/scratch_database.h"

namespace sftpd::vfs {

using test_support::Fault;
using test_support::Operation;

inline constexpr std::size_t kib = 1024;
inline constexpr std::size_t mib = 1024 * kib;

/// The code of the Error that `work` throws; nothing if it throws none.
template <class Work>
std::optional<ErrorCode> code_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

/// An account on a fresh database, and a process that serves it, with small parts: 64 KiB, of which
/// a store takes 4 KiB at least; content up to 1 KiB is kept in the database.
class VfsTest : public ::testing::Test {
 protected:
  VfsTest();
  ~VfsTest() override;

  /// The process ends, and another one begins with `options`.
  void restart();
  /// Waits until nothing is open or under way.
  void drain();

  std::unique_ptr<FileHandle> open(const std::string& path, OpenFlags flags,
                                   const AttributeChanges& initial = {});
  std::unique_ptr<FileHandle> create(const std::string& path);
  std::unique_ptr<FileHandle> open_reading(const std::string& path);
  std::unique_ptr<FileHandle> open_writing(const std::string& path);
  std::unique_ptr<FileHandle> open_editing(const std::string& path);

  /// Makes the file, or replaces its content, and waits until it is committed.
  void put(const std::string& path, const std::string& content);
  std::string read(FileHandle& handle);
  std::string read(const std::string& path);
  /// What a process that knows nothing of this one reads.
  std::string read_elsewhere(const std::string& path);

  static void write(FileHandle& handle, std::uint64_t offset, const std::string& bytes);
  static storage::Future<void> start_write(FileHandle& handle, std::uint64_t offset,
                                           const std::string& bytes);
  /// In requests of 32 KiB, each waited for.
  static void write_all(FileHandle& handle, const std::string& bytes, std::uint64_t offset = 0);

  Attributes stat(const std::string& path);
  bool exists(const std::string& path);
  metadata::Node node(const std::string& path);
  /// Objects that the database believes to be there.
  int live_objects();
  std::string text(const std::string& sql) { return scratch.execute(sql); }

  tests::ScratchDatabase scratch;
  test_support::MemoryObjectStore memory_store;
  test_support::FailingObjectStore store;
  FileSystem::Options options;
  Identity identity;
  std::unique_ptr<FileSystem> files;
  std::unique_ptr<Vfs> vfs;
};

}  // namespace sftpd::vfs
