#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "storage/local/local_object_store.h"
#include "tests/model/run.h"
#include "tests/support/failing_object_store.h"
#include "tests/support/memory_object_store.h"
#include "tests/support/metadata/temporary_directory.h"

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
         const std::function<void(std::uint64_t)>& before_step = {}) {
  std::cout << "seed " << options.seed << "\n";
  try {
    Run one(store, clean_store, options);
    for (std::uint64_t i = 0; i < operations(); ++i) {
      if (before_step) before_step(i);
      one.step();
    }
    if (before_step) before_step(operations());
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

TEST(Model, FailingStore) {
  test_support::MemoryObjectStore memory(small_parts());
  test_support::FailingObjectStore store(memory);
  run(store, memory, {.seed = seed() + 5, .may_fail = true}, [&](std::uint64_t i) {
    // Now many faults, now few, now none.
    const double probability = std::array<double, 4>{0.2, 0.02, 0.005, 0}[i / 200 % 4];
    if (i % 200 == 0) store.clear();
    if (i % 200 == 0 && probability > 0) store.fail_randomly(seed() + i, probability);
    if (i == operations()) store.clear();
  });
}

}  // namespace
}  // namespace model
