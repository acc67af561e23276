#include <gtest/gtest.h>

#include <future>

#include "storage/http/multi_engine.h"
#include "storage/s3/s3_object_store.h"
#include "tests/contracts/s3_servers.h"
#include "tests/contracts/session_token.h"

namespace {

using namespace storage;

http::Response fetch(const std::string& url) {
  http::MultiEngine engine({});
  std::promise<http::Response> promise;
  EXPECT_TRUE(engine.submit(
      {.url = url}, [&](http::Response response) { promise.set_value(std::move(response)); }));
  return promise.get_future().get();
}

class PresignedUrl : public testing::TestWithParam<test_support::S3Server& (*)()> {
 protected:
  s3::S3ObjectStore store_{GetParam()().store_options()};
  const ObjectKey key_{"presigned/a photo+1.jpg"};
};

TEST_P(PresignedUrl, GivesTheObjectUnderTheNameAsked) {
  PutOptions options{
      .content_type = "image/jpeg", .user_metadata = {{"oid", "1"}}, .sha256_hex = {}};
  store_.put(key_, Payload::copy_of("content"), options).get();
  const std::string disposition = "attachment; filename=\"a.jpg\"; filename*=UTF-8''%C3%A4.jpg";
  const auto response =
      fetch(store_.presign_get(key_, std::chrono::seconds(60),
                               {.content_disposition = disposition, .content_type = "text/plain"}));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body_text(), "content");
  EXPECT_EQ(http::find_header(response.headers, "content-disposition"), disposition);
  EXPECT_EQ(http::find_header(response.headers, "content-type"), "text/plain");
}

TEST_P(PresignedUrl, AChangedUrlIsRefused) {
  const std::string url = store_.presign_get(key_, std::chrono::seconds(60), {});
  EXPECT_EQ(fetch(url + "&response-content-type=text%2Fhtml").status, 403);
}

TEST(PresignedUrlVariants, VirtualHostAndSessionTokenAreSignedToo) {
  auto options = contracts::minio().store_options();
  options.endpoint = "http://localhost:" + std::to_string(contracts::minio().port());
  options.path_style = false;
  options.credentials = contracts::assume_role(contracts::minio());
  s3::S3ObjectStore store(options);
  const ObjectKey key{"presigned/variant"};
  store.put(key, Payload::copy_of("content"), {.user_metadata = {{"oid", "1"}}, .sha256_hex = {}})
      .get();
  const std::string url = store.presign_get(key, std::chrono::seconds(60), {});
  EXPECT_EQ(url.find("http://" + options.bucket + ".localhost:"), 0U) << url;
  const auto response = fetch(url);
  EXPECT_EQ(response.status, 200) << response.body_text();
  EXPECT_EQ(response.body_text(), "content");
}

INSTANTIATE_TEST_SUITE_P(Servers, PresignedUrl,
                         testing::Values(&contracts::minio, &contracts::versitygw));

}  // namespace
