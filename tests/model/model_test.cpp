#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "storage/local/local_object_store.h"
#include "storage/s3/s3_object_store.h"
#include "tests/model/run.h"
#include "tests/support/failing_object_store.h"
#include "tests/support/memory_object_store.h"
#include "tests/support/metadata/temporary_directory.h"
#include "tests/support/minio_process.h"

namespace model {
namespace {

using sftpd::vfs::FileSystem;
using test_support::Fault;
using test_support::Operation;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

std::uint64_t operations() { return from_environment("SHOEBOX_MODEL_OPS", 1000); }
std::uint64_t seed() { return from_environment("SHOEBOX_MODEL_SEED", 20'260'101); }

storage::Limits small_parts() {
  storage::Limits limits;
  limits.part_size_min = 4096;
  return limits;
}

void run(storage::ObjectStore& store, storage::ObjectStore& clean_store, Run::Options options,
         const std::function<void(std::uint64_t)>& before_step = {},
         const std::function<void()>& at_end = {}) {
  std::cout << "seed " << options.seed << "\n";
  try {
    Run one(store, clean_store, options);
    const std::uint64_t count = operations() / (options.scale > 1 ? 4 : 1);
    for (std::uint64_t i = 0; i < count; ++i) {
      if (before_step) before_step(i);
      one.step();
    }
    if (at_end) at_end();
    one.finish();
  } catch (const std::exception& error) {
    FAIL() << error.what();
  }
}

TEST(Model, MemoryStore) {
  test_support::MemoryObjectStore store(small_parts());
  run(store, store, {.seed = seed()});
  EXPECT_EQ(store.upload_count(), 0U);
}

TEST(Model, MemoryStoreWithEqualParts) {
  storage::Limits limits = small_parts();
  limits.parts_equal = true;
  test_support::MemoryObjectStore store(limits);
  run(store, store, {.seed = seed() + 1});
}

TEST(Model, MemoryStoreDiscardingLostUploads) {
  test_support::MemoryObjectStore store(small_parts());
  run(store, store, {.seed = seed() + 2, .interrupted = FileSystem::InterruptedUploads::discard});
}

TEST(Model, LocalStore) {
  tests::TemporaryDirectory directory;
  storage::local::LocalObjectStore store({.directory = directory.path()});
  run(store, store, {.seed = seed() + 3});
}

TEST(Model, LateAnswers) {
  test_support::MemoryObjectStore memory(small_parts());
  test_support::FailingObjectStore store(memory);
  run(store, memory, {.seed = seed() + 4}, [&](std::uint64_t i) {
    if (i % 50 != 0) return;
    store.clear();
    for (const auto operation : {Operation::put, Operation::get, Operation::upload_part,
                                 Operation::create_upload, Operation::complete_upload}) {
      store.add({.operation = operation,
                 .fault = Fault::delay,
                 .skip = static_cast<int>(i / 50 % 7),
                 .times = 5,
                 .delay = std::chrono::milliseconds{2}});
    }
  });
}

/// Now many faults, now few, now none.
void change_faults(test_support::FailingObjectStore& store, std::uint64_t i) {
  constexpr std::uint64_t period = 200;
  constexpr std::array<double, 4> probabilities{0.2, 0.02, 0.005, 0};
  if (i % period != 0) return;
  store.clear();
  const double probability = probabilities[i / period % probabilities.size()];
  if (probability > 0) store.fail_randomly(seed() + i, probability);
}

void run_with_faults(storage::ObjectStore& clean, Run::Options options) {
  test_support::FailingObjectStore store(clean);
  options.may_fail = true;
  run(
      store, clean, options, [&](std::uint64_t i) { change_faults(store, i); },
      [&] { store.clear(); });
}

TEST(Model, FailingStore) {
  test_support::MemoryObjectStore memory(small_parts());
  run_with_faults(memory, {.seed = seed() + 5});
}

TEST(Model, FailingStoreDiscardingLostUploads) {
  test_support::MemoryObjectStore memory(small_parts());
  run_with_faults(memory,
                  {.seed = seed() + 6, .interrupted = FileSystem::InterruptedUploads::discard});
}

/// MinIO wants parts of 5 MiB.
constexpr std::size_t minio_scale = 200;

TEST(Model, Minio) {
  test_support::MinioProcess minio;
  minio.start();
  storage::s3::S3ObjectStore store(minio.store_options());
  run(store, store, {.seed = seed() + 7, .scale = minio_scale});
}

TEST(Model, MinioWithFaults) {
  test_support::MinioProcess minio;
  minio.start();
  storage::s3::S3ObjectStore clean(minio.store_options());
  run_with_faults(clean, {.seed = seed() + 8, .scale = minio_scale});
}

}  // namespace
}  // namespace model
