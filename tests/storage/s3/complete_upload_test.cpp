#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/storage/s3/store_on_script.h"

namespace {

using namespace storage;
using namespace std::chrono_literals;
using namespace test_support;
using testing::HasSubstr;

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

}  // namespace
