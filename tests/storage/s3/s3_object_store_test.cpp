#include "storage/s3/s3_object_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "tests/storage/s3/store_on_script.h"

namespace {

using namespace storage;
using namespace std::chrono_literals;
using namespace test_support;
using testing::HasSubstr;
using testing::Not;

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

// ---- bounds

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
