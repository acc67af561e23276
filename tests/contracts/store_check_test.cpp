#include "storage/store_check.h"

#include <gtest/gtest.h>

#include "storage/s3/s3_object_store.h"
#include "tests/contracts/s3_servers.h"

namespace {

void expect_all_steps_pass(storage::ObjectStore& store) {
  for (const auto& step : storage::check_store(store, "check")) {
    EXPECT_TRUE(step.ok) << step.name << ": " << step.message;
  }
  EXPECT_TRUE(store.list("check/", "").get().objects.empty()) << "the check cleans up";
}

TEST(StoreCheck, MinioPasses) {
  storage::s3::S3ObjectStore store(contracts::minio().store_options());
  expect_all_steps_pass(store);
}

TEST(StoreCheck, VersitygwPasses) {
  storage::s3::S3ObjectStore store(contracts::versitygw().store_options());
  expect_all_steps_pass(store);
}

TEST(StoreCheck, AWrongSecretIsNamed) {
  auto options = contracts::minio().store_options();
  options.credentials.secret = "not the secret";
  storage::s3::S3ObjectStore store(options);
  const auto steps = storage::check_store(store, "check");
  ASSERT_FALSE(steps.empty());
  EXPECT_FALSE(steps[0].ok);
  EXPECT_NE(steps[0].message.find("denies access"), std::string::npos) << steps[0].message;
  EXPECT_EQ(steps[0].message.find("not the secret"), std::string::npos);
}

TEST(StoreCheck, AMissingBucketIsNamed) {
  auto options = contracts::versitygw().store_options();
  options.bucket = "no-such-bucket";
  storage::s3::S3ObjectStore store(options);
  const auto steps = storage::check_store(store, "check");
  ASSERT_FALSE(steps.empty());
  EXPECT_NE(steps[0].message.find("bucket's name"), std::string::npos) << steps[0].message;
}

}  // namespace
