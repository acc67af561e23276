#include "storage/store_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/failing_object_store.h"
#include "tests/support/memory_object_store.h"

namespace {

using test_support::FailingObjectStore;
using test_support::Fault;
using test_support::MemoryObjectStore;
using test_support::Operation;
using testing::HasSubstr;

// The steps that fail where the store denies one operation.
std::vector<storage::CheckStep> failed_without(Operation operation) {
  MemoryObjectStore memory;
  FailingObjectStore store(memory);
  store.add({.operation = operation,
             .fault = Fault::refuse,
             .code = storage::ErrorCode::access_denied,
             .times = 100});
  auto steps = storage::check_store(store, "check");
  std::erase_if(steps, [](const auto& step) { return step.ok; });
  EXPECT_EQ(memory.object_count(), 0U);
  return steps;
}

TEST(StoreCheck, NamesTheRightToListUploads) {
  const auto failed = failed_without(Operation::list_uploads);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].name, "list unfinished uploads");
  EXPECT_THAT(failed[0].message, HasSubstr("needs s3:ListBucketMultipartUploads"));
}

TEST(StoreCheck, NamesTheRightToListParts) {
  const auto failed = failed_without(Operation::list_parts);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].name, "list the parts of one");
  EXPECT_THAT(failed[0].message, HasSubstr("needs s3:ListMultipartUploadParts"));
}

TEST(StoreCheck, NamesTheRightToAbort) {
  const auto failed = failed_without(Operation::abort_upload);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_THAT(failed[0].message, HasSubstr("needs s3:AbortMultipartUpload"));
}

TEST(StoreCheck, LeavesNothingBehind) {
  MemoryObjectStore store;
  for (const auto& step : storage::check_store(store, "check")) EXPECT_TRUE(step.ok) << step.name;
  EXPECT_EQ(store.object_count(), 0U);
  EXPECT_EQ(store.upload_count(), 0U);
}

}  // namespace
