#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "tests/storage/s3/store_on_script.h"

namespace {

using namespace storage;
using namespace std::chrono_literals;
using namespace test_support;

// Whether what `failing` waits for comes to nothing long before the retries would end by
// themselves.
void expect_unavailable_soon(Future<ObjectInfo> failing) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(failure_of([&] { failing.get(); }).first, ErrorCode::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

void wait_for_requests(const ScriptedServer& server, std::size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (server.requests().size() < count && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(1ms);
  }
}

TEST(S3ObjectStore, StopEndsWhatWaitsForAnotherAttempt) {
  ScriptedServer server({answer(503, "Retry-After: 50\r\n", "")});
  auto options = quick_options(server);
  options.retry = {.delay_first = 60s, .delay_max = 60s};
  s3::S3ObjectStore store(options);
  auto waiting = store.put(key, Payload::copy_of("x"), options_with("1"));
  wait_for_requests(server, 1);
  store.stop(10ms);
  expect_unavailable_soon(std::move(waiting));
}

TEST(S3ObjectStore, StopEndsWhatIsUnderWayAndWhatIsQueued) {
  std::promise<void> released;
  const auto release = released.get_future().share();
  ScriptedServer server([&](const ReceivedRequest&) {
    release.wait_for(30s);
    return hang_up();
  });
  auto options = quick_options(server);
  options.connections_max = 2;
  s3::S3ObjectStore store(options);
  std::vector<Future<ObjectInfo>> all;
  const Payload large = Payload::copy_of(std::string(1'000'000, 'x'));
  for (int i = 0; i < 4; ++i) all.push_back(store.put(key, large, options_with("1")));
  for (int i = 0; i < 4; ++i) all.push_back(store.put(key, {}, options_with("1")));
  wait_for_requests(server, 2);
  store.stop(0ms);
  for (auto& one : all) expect_unavailable_soon(std::move(one));
  released.set_value();
}

TEST(S3ObjectStore, AStoppedStoreGoesOnForItsGraceThenRefuses) {
  ScriptedServer server({error_answer(503, "SlowDown"), answer(200, etag_header, "")});
  s3::S3ObjectStore store(quick_options(server));
  store.stop(20s);
  EXPECT_EQ(store.put(key, {}, options_with("1")).get().etag, ETag{"e1"}) << "after a retry even";
  store.stop(0ms);
  std::this_thread::sleep_for(100ms);
  const auto sent = server.requests().size();
  expect_unavailable_soon(store.put(key, {}, options_with("1")));
  EXPECT_EQ(server.requests().size(), sent);
}

TEST(S3ObjectStore, ItsEndStopsRetrying) {
  ScriptedServer server({error_answer(503, "SlowDown")});
  std::promise<void> retried;
  struct Signal : Observer {
    explicit Signal(std::promise<void>& promise) : promise_(promise) {}
    void call_finished(const FinishedCall&) noexcept override {}
    void call_retried(const RetriedCall&) noexcept override { promise_.set_value(); }
    std::promise<void>& promise_;
  } observer(retried);
  auto options = quick_options(server);
  options.retry = {.delay_first = 1h, .delay_max = 1h, .total_max = 10h};
  options.observer = &observer;
  Future<ObjectInfo> put;
  {
    s3::S3ObjectStore store(options);
    put = store.put(key, {}, options_with("1"));
    retried.get_future().get();
  }
  ASSERT_TRUE(put.ready());
  EXPECT_EQ(failure_of([&] { put.get(); }).first, ErrorCode::unavailable);
}

}  // namespace
