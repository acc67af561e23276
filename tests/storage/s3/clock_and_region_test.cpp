#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <vector>

#include "tests/storage/s3/store_on_script.h"

namespace {

using namespace storage;
using namespace std::chrono_literals;
using namespace test_support;
using testing::HasSubstr;

std::string http_date(std::chrono::system_clock::time_point when) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

TEST(S3ObjectStore, ASkewedClockIsCorrectedOnce) {
  const auto theirs = std::chrono::system_clock::now() + 2h;
  ScriptedServer server([&](const ReceivedRequest& request) {
    const std::string hour = http_date(theirs).substr(17, 2);
    return request.header("x-amz-date").substr(9, 2) == hour
               ? answer(200, etag_header, "")
               : error_answer(403, "RequestTimeTooSkewed", "Date: " + http_date(theirs) + "\r\n");
  });
  s3::S3ObjectStore store(quick_options(server));
  store.put(key, {}, options_with("1")).get();
  EXPECT_EQ(server.requests().size(), 2U);
  store.put(key, {}, options_with("1")).get();
  EXPECT_EQ(server.requests().size(), 3U) << "the correction is kept";
  EXPECT_NE(server.requests()[0].header("authorization"),
            server.requests()[1].header("authorization"));
  const std::string url = store.presign_get(key, 60s, {});
  EXPECT_THAT(url,
              HasSubstr("X-Amz-Date=" + server.requests()[2].header("x-amz-date").substr(0, 11)));
}

TEST(S3ObjectStore, ASkewThatCorrectionDoesNotHelpIsFinal) {
  ScriptedServer server(
      {error_answer(403, "RequestTimeTooSkewed", "Date: Fri, 24 May 2013 00:00:00 GMT\r\n")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(failure_of([&] { store.put(key, {}, options_with("1")).get(); }).first,
            ErrorCode::access_denied);
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST(S3ObjectStore, AHeadThatIsForbiddenTellsSkewByItsDate) {
  ScriptedServer server({{.bytes = "HTTP/1.1 403 Forbidden\r\nDate: " +
                                   http_date(std::chrono::system_clock::now() - 1h) + "\r\n\r\n"},
                         answer(200, etag_header + "x-amz-meta-oid: 1\r\n", "")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_TRUE(store.head(key).get());
}

TEST(S3ObjectStore, AHeadThatIsForbiddenInTimeIsDenied) {
  ScriptedServer server({{.bytes = "HTTP/1.1 403 Forbidden\r\nDate: " +
                                   http_date(std::chrono::system_clock::now()) + "\r\n\r\n"}});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(failure_of([&] { store.head(key).get(); }).first, ErrorCode::access_denied);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(S3ObjectStore, TheBucketsRegionIsLearnt) {
  const std::vector<ScriptedAnswer> redirects = {
      answer(400, "", error_xml("AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>")),
      answer(301, "x-amz-bucket-region: eu-west-3\r\n", error_xml("PermanentRedirect"))};
  for (const auto& redirect : redirects) {
    ScriptedServer server({redirect, answer(200, etag_header, "")});
    s3::S3ObjectStore store(quick_options(server));
    store.put(key, {}, options_with("1")).get();
    store.put(key, {}, options_with("1")).get();
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 3U);
    EXPECT_THAT(requests[0].header("authorization"), HasSubstr("/us-east-1/s3/"));
    EXPECT_THAT(requests[1].header("authorization"), HasSubstr("/eu-west-3/s3/"));
    EXPECT_THAT(requests[2].header("authorization"), HasSubstr("/eu-west-3/s3/"));
  }
}

// All requests are on the wire before the first is answered: each learns from its own answer, also
// when another one's came first.
class Rendezvous {
 public:
  explicit Rendezvous(int count) : left_(count) {}
  void arrive_and_wait() {
    std::unique_lock lock(mutex_);
    if (--left_ <= 0) all_here_.notify_all();
    all_here_.wait_for(lock, 10s, [this] { return left_ <= 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  int left_;
};

TEST(S3ObjectStore, ParallelRequestsAllLearnTheRegion) {
  constexpr int parallel = 8;
  Rendezvous all_sent(parallel);
  ScriptedServer server([&](const ReceivedRequest& request) {
    if (request.header("authorization").find("/eu-west-3/s3/") != std::string::npos) {
      return answer(206, etag_header + "Content-Range: bytes 0-0/1\r\n", "x");
    }
    all_sent.arrive_and_wait();
    return answer(301, "x-amz-bucket-region: eu-west-3\r\n", error_xml("PermanentRedirect"));
  });
  s3::S3ObjectStore store(quick_options(server));
  std::vector<Future<Payload>> reads;
  for (int i = 0; i < parallel; ++i) reads.push_back(store.get(key, {0, 1}));
  for (auto& read : reads) EXPECT_EQ(read.get().text(), "x");
  EXPECT_EQ(server.requests().size(), 2U * parallel);
}

TEST(S3ObjectStore, ParallelHeadsAllLearnTheClock) {
  constexpr int parallel = 8;
  const auto theirs = std::chrono::system_clock::now() + 2h;
  Rendezvous all_sent(parallel);
  ScriptedServer server([&](const ReceivedRequest& request) {
    if (request.header("x-amz-date").substr(9, 2) == http_date(theirs).substr(17, 2)) {
      return answer(200, etag_header + "x-amz-meta-oid: 1\r\n", "");
    }
    all_sent.arrive_and_wait();
    return ScriptedAnswer{.bytes =
                              "HTTP/1.1 403 Forbidden\r\nDate: " + http_date(theirs) + "\r\n\r\n"};
  });
  s3::S3ObjectStore store(quick_options(server));
  std::vector<Future<std::optional<ObjectInfo>>> heads;
  for (int i = 0; i < parallel; ++i) heads.push_back(store.head(key));
  for (auto& head : heads) EXPECT_TRUE(head.get());
  EXPECT_EQ(server.requests().size(), 2U * parallel);
}

TEST(S3ObjectStore, ARegionNamedAgainIsFinal) {
  ScriptedServer server(
      {answer(400, "", error_xml("AuthorizationHeaderMalformed", "<Region>us-east-1</Region>"))});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(failure_of([&] { store.put(key, {}, options_with("1")).get(); }).first,
            ErrorCode::rejected);
  EXPECT_EQ(server.requests().size(), 1U);
}

}  // namespace
