// Flattening on each kind of store.

#include <random>

#include "storage/local/local_object_store.h"
#include "tests/sftpd/vfs/flatten_fixture.h"
#include "tests/support/metadata/temporary_directory.h"
#include "tests/support/minio_process.h"

namespace sftpd::vfs {
namespace {

/// Scatters files over the store in many ways, flattens them and reads them back.
class FlattenOnTest : public FlattenTest {
 protected:
  void flatten_on(storage::ObjectStore& on, std::size_t scale, unsigned count = 6) {
    FileSystem process(scratch.database(), on, options);
    Vfs tree(process, identity);
    std::vector<std::string> contents;
    for (unsigned i = 0; i < count; ++i) contents.push_back(scatter(tree, i, scale));
    EXPECT_EQ(flatten(process), static_cast<int>(count));
    collect_on(process);
    for (unsigned i = 0; i < count; ++i) {
      const std::string path = "file-" + std::to_string(i);
      EXPECT_TRUE(is_flat(path)) << path;
      EXPECT_TRUE(read(*tree.open_file(path, {.read = true}, {})) == contents[i]) << path;
      FileSystem fresh(scratch.database(), on, options);
      Vfs there(fresh, identity);
      EXPECT_TRUE(read(*there.open_file(path, {.read = true}, {})) == contents[i]) << path;
    }
    EXPECT_EQ(live_objects(), static_cast<int>(count));
  }

  void collect_on(FileSystem& process) {
    text("UPDATE objects SET lease_until = now() + interval '1 hour' WHERE state = 'staging'");
    collect(process);
  }

  /// Edits, holes, appends and cuts, drawn by `seed`.
  static std::string scatter(Vfs& tree, unsigned seed, std::size_t scale) {
    const std::string path = "file-" + std::to_string(seed);
    std::string expected = noise(40 * scale + seed, seed);
    const auto first = tree.open_file(path, {.write = true, .create = true}, {});
    write_all(*first, expected);
    first->close().get();
    std::minstd_rand random(seed + 1);
    for (int i = 0; i < 6; ++i) {
      const auto handle = tree.open_file(path, {.read = true, .write = true}, {});
      const std::size_t at = i == 3 ? expected.size() + scale : random() % expected.size();
      const std::string bytes =
          noise(1 + random() % (i % 2 ? 500 : 4 * scale), static_cast<unsigned>(random()));
      write_all(*handle, bytes, at);
      handle->close().get();
      if (expected.size() < at + bytes.size()) expected.resize(at + bytes.size(), '\0');
      expected.replace(at, bytes.size(), bytes);
    }
    return expected;
  }
};

storage::Limits small_limits() {
  storage::Limits limits;
  limits.part_size_min = 4 * kib;
  return limits;
}

TEST_F(FlattenOnTest, StoresWithSmallCopies) {
  auto limits = small_limits();
  limits.copy_part_max = 20 * kib;
  test_support::MemoryObjectStore on(limits);
  flatten_on(on, 10 * kib);
}

TEST_F(FlattenOnTest, StoresWithFewParts) {
  auto limits = small_limits();
  limits.copy_part_max = 20 * kib;
  limits.parts_max = 9;
  test_support::MemoryObjectStore on(limits);
  options.part_size = 256 * kib;
  flatten_on(on, 10 * kib);
}

TEST_F(FlattenOnTest, StoresWithEqualParts) {
  auto limits = small_limits();
  limits.parts_equal = true;
  test_support::MemoryObjectStore on(limits);
  test_support::FailingObjectStore counted(on);
  flatten_on(counted, 10 * kib);
  EXPECT_GT(counted.calls(Operation::copy_part), 0);
}

TEST_F(FlattenOnTest, StoresWithEqualPartsAndNoCopies) {
  auto limits = small_limits();
  limits.parts_equal = true;
  limits.part_copy = false;
  test_support::MemoryObjectStore on(limits);
  flatten_on(on, 10 * kib);
}

TEST_F(FlattenOnTest, StoresWithoutCopies) {
  auto limits = small_limits();
  limits.part_copy = false;
  test_support::MemoryObjectStore on(limits);
  test_support::FailingObjectStore counted(on);
  flatten_on(counted, 10 * kib);
  EXPECT_EQ(counted.calls(Operation::copy_part), 0);
}

TEST_F(FlattenOnTest, StoresWithSmallPartsAndPuts) {
  auto limits = small_limits();
  limits.part_size_max = 70 * kib;
  limits.put_size_max = 70 * kib;
  test_support::MemoryObjectStore on(limits);
  flatten_on(on, 10 * kib);
}

TEST_F(FlattenOnTest, ADirectory) {
  tests::TemporaryDirectory directory;
  storage::local::LocalObjectStore local({.directory = directory.path()});
  options.part_size = 5 * mib;
  flatten_on(local, 300 * kib, 2);
}

TEST_F(FlattenOnTest, Minio) {
  test_support::MinioProcess minio;
  minio.start();
  storage::s3::S3ObjectStore on(minio.store_options());
  test_support::FailingObjectStore counted(on);
  options.part_size = 5 * mib;
  flatten_on(counted, 700 * kib, 1);
  EXPECT_GT(counted.calls(Operation::copy_part), 0);
}

}  // namespace
}  // namespace sftpd::vfs
