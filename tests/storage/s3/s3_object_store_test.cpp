#include "storage/s3/s3_object_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "storage/s3/sigv4_signer.h"
#include "tests/storage/scripted_server.h"

namespace {

using namespace storage;
using namespace std::chrono_literals;
using test_support::answer;
using test_support::cut_off;
using test_support::hang_up;
using test_support::ReceivedRequest;
using test_support::ScriptedAnswer;
using test_support::ScriptedServer;
using testing::HasSubstr;
using testing::Not;

const ObjectKey key{"v1/ab/abcdef"};
const std::string etag_header = "ETag: \"e1\"\r\n";

PutOptions options_with(const std::string& oid) {
  return {.content_type = "image/jpeg", .user_metadata = {{"oid", oid}}, .sha256_hex = {}};
}

std::string error_xml(const std::string& code, const std::string& more = "") {
  return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>why</Message>" + more +
         "</Error>";
}

ScriptedAnswer error_answer(int status, const std::string& code, const std::string& headers = "") {
  return answer(status, headers, error_xml(code));
}

std::string http_date(std::chrono::system_clock::time_point when) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

s3::S3ObjectStore::Options quick_options(const ScriptedServer& server) {
  return {.endpoint = server.origin(),
          .bucket = "bucket",
          .credentials = {.key_id = "KEYID", .secret = "very-secret"},
          .retry = {.attempts_max = 5, .delay_first = 1ms, .delay_max = 5ms}};
}

// The code a call fails with, and its message.
template <class Call>
std::pair<ErrorCode, std::string> failure_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  ADD_FAILURE() << "does not throw storage::Error";
  return {};
}

class RecordingObserver : public Observer {
 public:
  struct Finished {
    std::string operation;
    bool ok;
    int status;
    int attempts;
    std::uint64_t bytes_sent;
    std::uint64_t bytes_received;
  };
  void call_finished(const FinishedCall& call) noexcept override {
    std::lock_guard lock(mutex_);
    finished.push_back({std::string(call.operation), call.ok, call.status, call.attempts,
                        call.bytes_sent, call.bytes_received});
  }
  void call_retried(const RetriedCall& call) noexcept override {
    std::lock_guard lock(mutex_);
    reasons.emplace_back(call.reason);
  }
  std::vector<Finished> finished;
  std::vector<std::string> reasons;

 private:
  std::mutex mutex_;
};

TEST(S3ObjectStore, PutSendsTypeMetadataAndSignature) {
  ScriptedServer server({answer(200, etag_header, "")});
  s3::S3ObjectStore store(quick_options(server));
  const auto info = store.put(key, Payload::copy_of("content"), options_with("17")).get();
  EXPECT_EQ(info.etag, ETag{"e1"});
  const auto request = server.requests().at(0);
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.target, "/bucket/v1/ab/abcdef");
  EXPECT_EQ(request.body, "content");
  EXPECT_EQ(request.header("content-type"), "image/jpeg");
  EXPECT_EQ(request.header("x-amz-meta-oid"), "17");
  EXPECT_EQ(request.header("x-amz-content-sha256"), "UNSIGNED-PAYLOAD") << "to this machine";
  EXPECT_THAT(request.header("authorization"),
              HasSubstr("SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;"
                        "x-amz-meta-oid,"));
}

TEST(S3ObjectStore, BodiesAreHashedWhereAsked) {
  ScriptedServer server({answer(200, etag_header, "")});
  auto options = quick_options(server);
  options.payload_signing = s3::PayloadSigning::always;
  s3::S3ObjectStore store(options);
  store.put(key, Payload::copy_of("abc"), options_with("17")).get();
  store.upload_part(key, {"u"}, {1, 0}, Payload::copy_of("abc")).get();
  for (const auto& request : server.requests()) {
    EXPECT_EQ(request.header("x-amz-content-sha256"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  }
}

TEST(S3ObjectStore, AKnownHashIsSentForFree) {
  ScriptedServer server({answer(200, etag_header, "")});
  s3::S3ObjectStore store(quick_options(server));
  auto options = options_with("17");
  options.sha256_hex = std::string(64, 'a');
  store.put(key, Payload::copy_of("abc"), options).get();
  EXPECT_EQ(server.requests().at(0).header("x-amz-content-sha256"), std::string(64, 'a'));
}

TEST(S3ObjectStore, TransientAnswersAreRetried) {
  const std::vector<ScriptedAnswer> transient = {error_answer(503, "SlowDown"),
                                                 answer(503, "Retry-After: 0\r\n", ""),
                                                 error_answer(500, "InternalError"),
                                                 error_answer(400, "RequestTimeout"),
                                                 answer(502, "", "<html>Bad gateway</html>"),
                                                 hang_up(),
                                                 answer(200, "", "no etag")};
  for (const auto& first : transient) {
    ScriptedServer server({first, answer(200, etag_header, "")});
    RecordingObserver observer;
    auto options = quick_options(server);
    options.observer = &observer;
    s3::S3ObjectStore store(options);
    EXPECT_EQ(store.put(key, Payload::copy_of("x"), options_with("1")).get().etag, ETag{"e1"});
    EXPECT_EQ(server.requests().size(), 2U) << first.bytes;
    ASSERT_EQ(observer.finished.size(), 1U);
    EXPECT_EQ(observer.finished[0].attempts, 2);
    EXPECT_TRUE(observer.finished[0].ok);
    EXPECT_EQ(observer.reasons.size(), 1U);
  }
}

TEST(S3ObjectStore, GivingUpIsUnavailable) {
  ScriptedServer server({error_answer(503, "SlowDown")});
  s3::S3ObjectStore store(quick_options(server));
  const auto [code, message] =
      failure_of([&] { store.put(key, Payload::copy_of("x"), options_with("1")).get(); });
  EXPECT_EQ(code, ErrorCode::unavailable);
  EXPECT_EQ(server.requests().size(), 5U);
  EXPECT_THAT(message, HasSubstr("PutObject v1/ab/abcdef: 503 SlowDown: why (attempts: 5)"));
}

TEST(S3ObjectStore, FinalAnswersAreNotRetried) {
  struct Case {
    int status;
    std::string code;
    ErrorCode expected;
  };
  const std::vector<Case> cases = {{403, "AccessDenied", ErrorCode::access_denied},
                                   {403, "SignatureDoesNotMatch", ErrorCode::access_denied},
                                   {404, "NoSuchBucket", ErrorCode::rejected},
                                   {400, "InvalidArgument", ErrorCode::rejected},
                                   {501, "NotImplemented", ErrorCode::rejected},
                                   {507, "XMinioStorageFull", ErrorCode::no_space}};
  for (const auto& one : cases) {
    ScriptedServer server({error_answer(one.status, one.code)});
    s3::S3ObjectStore store(quick_options(server));
    const auto [code, message] =
        failure_of([&] { store.put(key, Payload::copy_of("x"), options_with("1")).get(); });
    EXPECT_EQ(code, one.expected) << one.code;
    EXPECT_EQ(server.requests().size(), 1U) << one.code;
    EXPECT_THAT(message, Not(HasSubstr("very-secret")));
    EXPECT_THAT(message, Not(HasSubstr("Signature=")));
  }
}

TEST(S3ObjectStore, ABadDigestIsTriedOnceMore) {
  ScriptedServer server({error_answer(400, "XAmzContentSHA256Mismatch")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(failure_of([&] { store.put(key, {}, options_with("1")).get(); }).first,
            ErrorCode::corrupted);
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST(S3ObjectStore, ForeignMessagesAreOnePrintableLine) {
  ScriptedServer server(
      {answer(400, "", "<Error><Code>X</Code><Message>line\nbreak \x1b[31m</Message></Error>")});
  s3::S3ObjectStore store(quick_options(server));
  const auto message = failure_of([&] { store.put(key, {}, options_with("1")).get(); }).second;
  EXPECT_THAT(message, Not(HasSubstr("\n")));
  EXPECT_THAT(message, Not(HasSubstr("\x1b")));
}

// ---- the store's clock and region

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

// ---- the end

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
  store.stop(2s);
  EXPECT_EQ(store.put(key, {}, options_with("1")).get().etag, ETag{"e1"}) << "after a retry even";
  store.stop(0ms);
  std::this_thread::sleep_for(100ms);
  const auto sent = server.requests().size();
  expect_unavailable_soon(store.put(key, {}, options_with("1")));
  EXPECT_EQ(server.requests().size(), sent);
}

// ---- ranged reads

ScriptedAnswer partial(const std::string& range, const std::string& body) {
  return answer(206, etag_header + "Content-Range: bytes " + range + "\r\n", body);
}

TEST(S3ObjectStore, RangesAreAskedAndChecked) {
  ScriptedServer server({partial("2-4/10", "234")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(store.get(key, {2, 3}).get().text(), "234");
  EXPECT_EQ(server.requests().at(0).header("range"), "bytes=2-4");
}

TEST(S3ObjectStore, AnswersThatAreNotTheRangeAreRetriedThenCorrupted) {
  const std::vector<ScriptedAnswer> wrong = {
      partial("3-5/10", "345"),                // another place
      partial("2-4/10", "23"),                 // shorter than it says
      partial("2-3/10", "23"),                 // shorter than asked, not at the end
      partial("4-2/10", "234"),                // nonsense
      answer(206, etag_header, "234"),         // says no place
      answer(200, etag_header, "0123456789"),  // the whole object
  };
  for (const auto& bad : wrong) {
    ScriptedServer mended({bad, partial("2-4/10", "234")});
    EXPECT_EQ(s3::S3ObjectStore(quick_options(mended)).get(key, {2, 3}).get().text(), "234");
    ScriptedServer broken({bad});
    s3::S3ObjectStore store(quick_options(broken));
    EXPECT_EQ(failure_of([&] {
                store.get(key, {2, 3}).get();
              }).first,
              ErrorCode::corrupted)
        << bad.bytes;
  }
}

TEST(S3ObjectStore, AWholeObjectAnswersARangeThatCoversIt) {
  ScriptedServer server({answer(200, etag_header, "0123456789")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(store.get(key, {0, 100}).get().text(), "0123456789");
}

TEST(S3ObjectStore, ACutOffReadGoesOnWhereItStopped) {
  ScriptedServer server({cut_off(206, etag_header + "Content-Range: bytes 2-7/10\r\n", "234567", 4),
                         partial("6-7/10", "67")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(store.get(key, {2, 6}).get().text(), "234567");
  const auto rest = server.requests().at(1);
  EXPECT_EQ(rest.header("range"), "bytes=6-7");
  EXPECT_EQ(rest.header("if-match"), "\"e1\"") << "of the same content";
}

TEST(S3ObjectStore, AReadAcrossAChangeIsCorrupted) {
  ScriptedServer server({cut_off(206, etag_header + "Content-Range: bytes 2-7/10\r\n", "234567", 4),
                         error_answer(412, "PreconditionFailed")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(failure_of([&] { store.get(key, {2, 6}).get(); }).first, ErrorCode::corrupted);
}

TEST(S3ObjectStore, AnswersLongerThanTheBoundAreRejected) {
  ScriptedServer server({partial("0-199999/200000", std::string(200'000, 'x'))});
  auto options = quick_options(server);
  options.get_size_max = 100'000;
  s3::S3ObjectStore store(options);
  EXPECT_EQ(failure_of([&] { store.get(key, {0, 200'000}).get(); }).first, ErrorCode::rejected);
  EXPECT_EQ(server.requests().size(), 1U);
}

// ---- completing an upload

const std::vector<CompletedPart> seven_bytes = {{.number = 1, .etag = {"p1"}, .size_bytes = 7}};
const std::string completed_xml =
    "<CompleteMultipartUploadResult><ETag>\"whole-1\"</ETag></CompleteMultipartUploadResult>";

ScriptedAnswer head_answer(int size, const std::string& oid) {
  return {.bytes = "HTTP/1.1 200 OK\r\nETag: \"whole-1\"\r\nx-amz-meta-oid: " + oid +
                   "\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n"};
}
ScriptedAnswer head_missing() {
  return {.bytes = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"};
}

// POSTs and HEADs are answered from lists of their own; the last of each repeats.
class CompleteScript {
 public:
  CompleteScript(std::vector<ScriptedAnswer> posts, std::vector<ScriptedAnswer> heads)
      : posts_(std::move(posts)), heads_(std::move(heads)) {}
  ScriptedAnswer operator()(const ReceivedRequest& request) {
    auto& list = request.method == "HEAD" ? heads_ : posts_;
    ScriptedAnswer next = list.front();
    if (list.size() > 1) list.erase(list.begin());
    return next;
  }

 private:
  std::vector<ScriptedAnswer> posts_;
  std::vector<ScriptedAnswer> heads_;
};

ObjectInfo complete(const ScriptedServer& server) {
  s3::S3ObjectStore store(quick_options(server));
  return store.complete_upload(key, {"upload/1+"}, seven_bytes, "mine").get();
}

TEST(Complete, SendsThePartsAndLooksAtTheObject) {
  ScriptedServer server(CompleteScript({answer(200, "", completed_xml)}, {head_answer(7, "mine")}));
  const auto info = complete(server);
  EXPECT_EQ(info.size_bytes, 7U);
  EXPECT_EQ(info.etag, ETag{"whole-1"});
  const auto request = server.requests().at(0);
  EXPECT_EQ(request.target, "/bucket/v1/ab/abcdef?uploadId=upload%2F1%2B");
  EXPECT_EQ(request.header("content-type"), "application/xml");
  EXPECT_THAT(request.body, HasSubstr("<PartNumber>1</PartNumber><ETag>&quot;p1&quot;</ETag>"));
}

TEST(Complete, AnErrorInsideA200IsRetried) {
  ScriptedServer server(CompleteScript(
      {answer(200, "", "   " + error_xml("InternalError")), answer(200, "", completed_xml)},
      {head_answer(7, "mine")}));
  EXPECT_EQ(complete(server).size_bytes, 7U);
  EXPECT_EQ(server.requests().size(), 3U);
}

TEST(Complete, ALostAnswerIsFoundByLooking) {
  ScriptedServer server(
      CompleteScript({hang_up(), error_answer(404, "NoSuchUpload")}, {head_answer(7, "mine")}));
  EXPECT_EQ(complete(server).etag, ETag{"whole-1"});
}

TEST(Complete, AStoreThatOnlyEverFailsIsLookedAtTheSame) {
  ScriptedServer found(
      CompleteScript({error_answer(500, "InternalError")}, {head_answer(7, "mine")}));
  EXPECT_EQ(complete(found).size_bytes, 7U);
  ScriptedServer missing(CompleteScript({error_answer(500, "InternalError")}, {head_missing()}));
  EXPECT_EQ(failure_of([&] { complete(missing); }).first, ErrorCode::unavailable);
}

TEST(Complete, SomebodyElsesObjectProvesNothing) {
  const std::vector<ScriptedAnswer> others = {head_answer(7, "other"), head_answer(8, "mine"),
                                              head_missing()};
  for (const auto& seen : others) {
    ScriptedServer gone(CompleteScript({error_answer(404, "NoSuchUpload")}, {seen}));
    EXPECT_EQ(failure_of([&] { complete(gone); }).first, ErrorCode::no_such_upload);
    ScriptedServer claimed(CompleteScript({answer(200, "", completed_xml)}, {seen}));
    EXPECT_EQ(failure_of([&] { complete(claimed); }).first, ErrorCode::no_such_upload)
        << "although the store says 200";
  }
}

TEST(Complete, ARefusalIsFinal) {
  ScriptedServer server(CompleteScript({error_answer(400, "InvalidPart")}, {head_missing()}));
  EXPECT_EQ(failure_of([&] { complete(server); }).first, ErrorCode::rejected);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(S3ObjectStore, CopiedPartsMayFailInsideA200) {
  const std::string copied = "<CopyPartResult><ETag>\"c\"</ETag></CopyPartResult>";
  ScriptedServer server({answer(200, "", error_xml("SlowDown")), answer(200, "", copied)});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(store.copy_part(key, {"u"}, {2, 0}, {"v1/a b"}, {5, 10}).get(), ETag{"c"});
  const auto request = server.requests().at(1);
  EXPECT_EQ(request.header("x-amz-copy-source"), "/bucket/v1/a%20b");
  EXPECT_EQ(request.header("x-amz-copy-source-range"), "bytes=5-14");
}

// ---- listings

TEST(S3ObjectStore, LongListsOfPartsAreFollowed) {
  const auto page = [](int number, const std::string& rest) {
    const std::string text = std::to_string(number);
    return answer(200, "",
                  "<ListPartsResult><Part><PartNumber>" + text +
                      "</PartNumber><ETag>e</ETag><Size>5</Size></Part>" + rest +
                      "</ListPartsResult>");
  };
  ScriptedServer server({page(1,
                              "<IsTruncated>true</IsTruncated>"
                              "<NextPartNumberMarker>1</NextPartNumberMarker>"),
                         page(2, "")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(store.list_parts(key, {"u"}).get().size(), 2U);
  EXPECT_THAT(server.requests().at(1).target, HasSubstr("part-number-marker=1"));
}

TEST(S3ObjectStore, OnlyUploadsOfExactlyTheKeyCount) {
  ScriptedServer server({answer(
      200, "",
      "<ListMultipartUploadsResult><Upload><Key>v1/ab/abcdef</Key><UploadId>1</UploadId></Upload>"
      "<Upload><Key>v1/ab/abcdef2</Key><UploadId>2</UploadId></Upload>"
      "</ListMultipartUploadsResult>")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_THAT(store.list_uploads(key).get(), testing::ElementsAre(UploadId{"1"}));
  EXPECT_THAT(server.requests().at(0).target, HasSubstr("prefix=v1%2Fab%2Fabcdef&uploads="));
}

// ---- ends and bounds

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

TEST(S3ObjectStore, TooManyWaitingCallsAreUnavailable) {
  ScriptedServer server({answer(200, etag_header, "")});
  auto options = quick_options(server);
  options.queue_max = 0;
  s3::S3ObjectStore store(options);
  EXPECT_EQ(failure_of([&] { store.put(key, {}, options_with("1")).get(); }).first,
            ErrorCode::unavailable);
}

TEST(S3ObjectStore, ACallbackMayCallTheStoreAgain) {
  ScriptedServer server({answer(200, etag_header, "")});
  s3::S3ObjectStore store(quick_options(server));
  std::promise<void> done;
  auto first = store.put(key, {}, options_with("1"));
  Future<ObjectInfo> second;
  first.on_ready([&] {
    second = store.put(key, {}, options_with("2"));
    second.on_ready([&] { done.set_value(); });
  });
  done.get_future().get();
  EXPECT_EQ(second.get().etag, ETag{"e1"});
}

TEST(S3ObjectStore, OptionsThatCannotWorkAreRejected) {
  ScriptedServer server({hang_up()});
  const auto rejected = [&](auto change) {
    auto options = quick_options(server);
    change(options);
    return failure_of([&] { s3::S3ObjectStore store(options); }).first == ErrorCode::rejected;
  };
  EXPECT_TRUE(rejected([](auto& options) { options.bucket = ""; }));
  EXPECT_TRUE(rejected([](auto& options) { options.region = ""; }));
  EXPECT_TRUE(rejected([](auto& options) { options.endpoint = "minio:9000"; }));
  EXPECT_TRUE(rejected([](auto& options) { options.credentials.secret = ""; }));
}

TEST(Presign, UsesThePublicEndpointAndBoundsTheLifetime) {
  ScriptedServer server({hang_up()});
  auto options = quick_options(server);
  options.public_endpoint = "https://photos.example.com";
  options.path_style = false;
  s3::S3ObjectStore store(options);
  const std::string url = store.presign_get(key, 60s, {.content_type = "image/png"});
  EXPECT_THAT(url, testing::StartsWith("https://bucket.photos.example.com/v1/ab/abcdef?"));
  EXPECT_THAT(url, HasSubstr("response-content-type=image%2Fpng"));
  EXPECT_THROW(store.presign_get(key, 0s, {}), Error);
  EXPECT_THROW(store.presign_get(key, 604801s, {}), Error);
  EXPECT_THROW(store.presign_get(key, 60s, {.content_disposition = "a\r\nb: c"}), Error);
}

}  // namespace
