#include "storage/s3/retry_policy.h"

#include <gtest/gtest.h>

namespace {

using namespace storage::s3;
using namespace std::chrono_literals;
using storage::http::Failure;
using storage::http::Response;

Response with_status(int status) {
  Response response;
  response.status = status;
  return response;
}

Response with_failure(Failure failure) {
  Response response;
  response.failure = failure;
  return response;
}

TEST(Judge, SuccessIsDone) {
  for (const int status : {200, 204, 206}) EXPECT_EQ(judge(with_status(status), ""), Outcome::done);
}

TEST(Judge, AnErrorInsideA200IsRetried) {
  EXPECT_EQ(judge(with_status(200), "InternalError"), Outcome::retry);
  EXPECT_EQ(judge(with_status(200), "NeverHeardOfIt"), Outcome::retry);
}

TEST(Judge, WhatPassesIsRetried) {
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    EXPECT_EQ(judge(with_status(status), ""), Outcome::retry) << status;
  }
  for (const char* code : {"SlowDown", "RequestTimeout", "OperationAborted", "Throttling"}) {
    EXPECT_EQ(judge(with_status(400), code), Outcome::retry) << code;
  }
  for (const auto failure :
       {Failure::connect, Failure::timed_out, Failure::cut_off, Failure::other}) {
    EXPECT_EQ(judge(with_failure(failure), ""), Outcome::retry);
  }
}

TEST(Judge, WhatStaysFails) {
  for (const int status : {301, 307, 400, 403, 404, 411, 412, 416, 501, 507}) {
    EXPECT_EQ(judge(with_status(status), "AccessDenied"), Outcome::fail) << status;
  }
  EXPECT_EQ(judge(with_failure(Failure::too_long), ""), Outcome::fail);
  EXPECT_EQ(judge(with_failure(Failure::untrusted), ""), Outcome::fail);
}

TEST(RetryPolicy, DelaysDoubleUpToTheLongest) {
  const RetryPolicy policy({.attempts_max = 100, .delay_first = 100ms, .delay_max = 1000ms},
                           [] { return 1.0; });
  EXPECT_EQ(policy.delay(1, 0ms, {}), 100ms);
  EXPECT_EQ(policy.delay(2, 0ms, {}), 200ms);
  EXPECT_EQ(policy.delay(4, 0ms, {}), 800ms);
  EXPECT_EQ(policy.delay(5, 0ms, {}), 1000ms);
  EXPECT_EQ(policy.delay(90, 0ms, {}), 1000ms);
}

TEST(RetryPolicy, JitterIsFull) {
  double drawn = 0;
  const RetryPolicy policy({.delay_first = 100ms}, [&] { return drawn; });
  EXPECT_EQ(policy.delay(3, 0ms, {}), 0ms);
  drawn = 0.5;
  EXPECT_EQ(policy.delay(3, 0ms, {}), 200ms);
}

TEST(RetryPolicy, TheStoresWishCountsWhileThereIsTime) {
  const RetryPolicy policy({.delay_first = 100ms, .delay_max = 5000ms, .total_max = 120'000ms},
                           [] { return 0.0; });
  EXPECT_EQ(policy.delay(1, 0ms, 2000ms), 2000ms);
  EXPECT_EQ(policy.delay(1, 0ms, 45'000ms), 45'000ms);
  EXPECT_EQ(policy.delay(1, 0ms, 3'600'000ms), 60'000ms) << "an hour is not believed";
  EXPECT_EQ(policy.delay(3, 100'000ms, 45'000ms), 20'000ms) << "a last attempt when time is over";
  EXPECT_EQ(policy.delay(3, 120'001ms, 45'000ms), std::nullopt);
}

TEST(RetryPolicy, ThoseWhoWereAskedToWaitDoNotReturnAtOnce) {
  const RetryPolicy policy({.delay_first = 100ms, .delay_max = 5000ms}, [] { return 1.0; });
  EXPECT_EQ(policy.delay(1, 0ms, 40'000ms), 50'000ms);
  EXPECT_EQ(policy.delay(5, 0ms, 1000ms), 2600ms) << "the ordinary delay, if that is longer";
}

TEST(RetryPolicy, AnOverloadedStoreIsLeftAloneForLonger) {
  const RetryPolicy policy({.delay_first = 100ms, .delay_max = 5000ms}, [] { return 1.0; });
  EXPECT_EQ(policy.delay(1, 0ms, {}, Cause::overload), 1000ms);
  EXPECT_EQ(policy.delay(2, 0ms, {}, Cause::overload), 2000ms);
  EXPECT_EQ(policy.delay(9, 0ms, {}, Cause::overload), 5000ms);
}

TEST(CauseOf, SlowDownIsOverloadAndAnErrorIsAnAccident) {
  EXPECT_EQ(cause_of(with_status(503), "SlowDown"), Cause::overload);
  EXPECT_EQ(cause_of(with_status(503), "SlowDownWrite"), Cause::overload);
  EXPECT_EQ(cause_of(with_status(429), ""), Cause::overload);
  EXPECT_EQ(cause_of(with_status(503), "ServiceUnavailable"), Cause::accident);
  EXPECT_EQ(cause_of(with_status(500), "InternalError"), Cause::accident);
}

TEST(RetryPolicy, GivesUpAfterAttemptsOrTime) {
  const RetryPolicy policy({.attempts_max = 3, .delay_first = 100ms, .total_max = 1000ms},
                           [] { return 1.0; });
  EXPECT_TRUE(policy.delay(2, 800ms, {}));
  EXPECT_FALSE(policy.delay(2, 801ms, {}));
  EXPECT_FALSE(policy.delay(3, 0ms, {}));
  EXPECT_TRUE(policy.delay(1, 900'000ms, {})) << "a long first attempt is looked at once more";
}

TEST(RetryAfter, IsSecondsOrADate) {
  const auto now = std::chrono::system_clock::from_time_t(1369353600);
  const auto wish = [&](const std::string& text) {
    Response response;
    response.headers = {{"retry-after", text}};
    return retry_after(response, "SlowDown", now);
  };
  EXPECT_EQ(wish("2"), 2000ms);
  EXPECT_EQ(wish("Fri, 24 May 2013 00:00:07 GMT"), 7000ms);
  EXPECT_EQ(wish("Thu, 23 May 2013 00:00:00 GMT"), 0ms);
  EXPECT_EQ(wish("4294967295"), std::chrono::hours(1));
  EXPECT_EQ(wish("-5"), std::nullopt);
  EXPECT_EQ(wish(""), std::nullopt);
  EXPECT_EQ(retry_after({}, "", now), std::nullopt);
}

TEST(RetryAfter, OfAStartingMinioIsNotBelieved) {
  Response response;
  response.headers = {{"retry-after", "60"}};
  EXPECT_EQ(retry_after(response, "XMinioServerNotInitialized", {}), std::nullopt);
}

}  // namespace
