#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "storage/s3/s3_object_store.h"
#include "tests/support/minio_process.h"

namespace {

using namespace storage;

PutOptions options(const std::string& oid) {
  return {.content_type = "text/plain", .user_metadata = {{"oid", oid}}, .sha256_hex = {}};
}

// Puts and gets go on, at most one at a time, until told to stop; each must succeed.
class PutGetLoop {
 public:
  explicit PutGetLoop(ObjectStore& store)
      : store_(store), done_(std::async(std::launch::async, [this] { run(); })) {}

  void wait_for_rounds(int more) {
    const int wanted = rounds_ + more;
    for (int seen = rounds_; seen < wanted; seen = rounds_) rounds_.wait(seen);
  }
  void finish() {
    stopping_ = true;
    done_.get();
  }

 private:
  void run() {
    for (int i = 0; !stopping_; ++i) {
      const ObjectKey key{"restart/" + std::to_string(i)};
      const std::string text = "content of " + key.text;
      store_.put(key, Payload::copy_of(text), options(key.text)).get();
      const Payload read = store_.get(key, {0, 1000}).get();
      EXPECT_EQ(read.text(), text);
      ++rounds_;
      rounds_.notify_all();
    }
  }

  ObjectStore& store_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> rounds_{0};
  std::future<void> done_;
};

TEST(S3Restart, PutsAndGetsSurviveARestartOfTheServer) {
  test_support::MinioProcess server;
  server.start();
  s3::S3ObjectStore store(server.store_options());
  PutGetLoop loop(store);
  loop.wait_for_rounds(20);
  for (int kills = 0; kills < 2; ++kills) {
    server.kill();
    server.start();
    loop.wait_for_rounds(20);
  }
  loop.finish();
}

TEST(S3Restart, UploadsAreFoundAndCompletedAfterARestart) {
  test_support::MinioProcess server;
  server.start();
  s3::S3ObjectStore store(server.store_options());
  const ObjectKey key{"v1/ab/upload"};
  const auto upload = store.create_upload(key, options("one")).get();
  store.upload_part(key, upload, {1, 0}, Payload::copy_of("content")).get();
  server.kill();
  server.start();
  const auto found = store.list_uploads(key).get();
  ASSERT_EQ(found, std::vector{upload});
  const auto parts = store.list_parts(key, upload).get();
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(store.complete_upload(key, upload, parts, "one").get().size_bytes, 7U);
}

TEST(S3Restart, AStoreThatStaysAwayIsUnavailable) {
  test_support::MinioProcess server;
  server.start();
  auto options_given = server.store_options();
  options_given.retry.total_max = std::chrono::milliseconds(300);
  s3::S3ObjectStore store(options_given);
  server.kill();
  try {
    store.put({"a"}, Payload::copy_of("x"), options("one")).get();
    FAIL() << "there is no store";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
  }
}

}  // namespace
