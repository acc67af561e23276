#include "storage/s3/sigv4_signer.h"

#include <gtest/gtest.h>

#include <array>

namespace {

using namespace storage::s3;
using storage::http::find_header;

// 24 May 2013 00:00:00 UTC and 30 August 2015 12:36:00 UTC, the times of the published examples.
const auto may_2013 = std::chrono::system_clock::from_time_t(1369353600);
const auto august_2015 = std::chrono::system_clock::from_time_t(1440938160);

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
SigV4Signer guide_signer() {
  return SigV4Signer({.key_id = "AKIAIOSFODNN7EXAMPLE",
                      .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                      .session_token = {}});
}

const std::string empty_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

Signable guide_request(const std::string& method, const std::string& path) {
  return {
      .method = method,
      .path = path,
      .headers = {{"host", "examplebucket.s3.amazonaws.com"}, {"x-amz-content-sha256", empty_hash}},
      .payload_hash = empty_hash};
}

std::string signature_of(const Signable& request) {
  const auto header = find_header(request.headers, "authorization").value_or("");
  return std::string(header.substr(header.rfind('=') + 1));
}

TEST(SigV4Signer, DerivesTheGuidesSigningKey) {
  const auto key = guide_signer().signing_key("20130524", "us-east-1");
  EXPECT_EQ(hex(key), "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378");
}

TEST(SigV4Signer, SignsTheGuidesGetObject) {
  Signable request = guide_request("GET", "/test.txt");
  request.headers.emplace_back("range", "bytes=0-9");
  guide_signer().sign(request, may_2013, "us-east-1");
  EXPECT_EQ(find_header(request.headers, "authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4Signer, SignsTheGuidesPutObject) {
  Signable request = guide_request("PUT", "/test$file.text");
  request.payload_hash = sha256_hex(std::string_view("Welcome to Amazon S3."));
  request.headers = {{"host", "examplebucket.s3.amazonaws.com"},
                     {"date", "Fri, 24 May 2013 00:00:00 GMT"},
                     {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                     {"x-amz-content-sha256", request.payload_hash}};
  guide_signer().sign(request, may_2013, "us-east-1");
  EXPECT_EQ(signature_of(request),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4Signer, SignsTheGuidesGetLifecycle) {
  Signable request = guide_request("GET", "/");
  request.query = {{"lifecycle", ""}};
  guide_signer().sign(request, may_2013, "us-east-1");
  EXPECT_EQ(signature_of(request),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(SigV4Signer, SignsTheGuidesListObjects) {
  Signable request = guide_request("GET", "/");
  request.query = {{"prefix", "J"}, {"max-keys", "2"}};
  guide_signer().sign(request, may_2013, "us-east-1");
  EXPECT_EQ(signature_of(request),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
TEST(SigV4Signer, PresignsTheGuidesGetObject) {
  const Signable request{.method = "GET",
                         .path = "/test.txt",
                         .headers = {{"host", "examplebucket.s3.amazonaws.com"}}};
  EXPECT_EQ(guide_signer().presign(request, may_2013, "us-east-1", std::chrono::seconds(86400)),
            "X-Amz-Algorithm=AWS4-HMAC-SHA256"
            "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
            "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
            "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

// github.com/awslabs/aws-c-auth, tests/aws-signing-test-suite/v4: the cases that do not normalise
// paths, as S3 does not.
TEST(SigV4Signer, SignsTheGenericSuite) {
  const SigV4Signer signer({.key_id = "AKIDEXAMPLE",
                            .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                            .session_token = {}},
                           "service");
  const std::array<std::pair<std::string, std::string>, 3> cases = {{
      {"/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"/example space/", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
      {"/\xe1\x88\xb4", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
  }};
  for (const auto& [path, expected] : cases) {
    Signable request{.method = "GET",
                     .path = path,
                     .headers = {{"host", "example.amazonaws.com"}},
                     .payload_hash = empty_hash};
    signer.sign(request, august_2015, "us-east-1");
    EXPECT_EQ(signature_of(request), expected) << path;
  }
}

TEST(SigV4Signer, SessionTokensAreSentAndSigned) {
  const SigV4Signer signer({.key_id = "A", .secret = "B", .session_token = "the/token=="});
  Signable request = guide_request("GET", "/a");
  signer.sign(request, may_2013, "us-east-1");
  EXPECT_EQ(find_header(request.headers, "x-amz-security-token"), "the/token==");
  EXPECT_NE(find_header(request.headers, "authorization")->find(";x-amz-security-token,"),
            std::string::npos);
  const auto query = signer.presign({.method = "GET", .path = "/a", .headers = {{"host", "h"}}},
                                    may_2013, "us-east-1", std::chrono::seconds(60));
  EXPECT_NE(query.find("&X-Amz-Security-Token=the%2Ftoken%3D%3D&"), std::string::npos);
}

TEST(SigV4Signer, TheCachedKeyFollowsDayAndRegion) {
  const SigV4Signer signer = guide_signer();
  const auto first = signer.signing_key("20130524", "us-east-1");
  EXPECT_NE(signer.signing_key("20130525", "us-east-1"), first);
  EXPECT_NE(signer.signing_key("20130524", "eu-west-1"), first);
  EXPECT_EQ(signer.signing_key("20130524", "us-east-1"), first);
}

TEST(CanonicalRequest, TrimsValuesAndSortsNames) {
  const Signable request{.method = "GET",
                         .path = "/a//b/../c",
                         .query = {{"b", "1"}, {"a", "2 3"}, {"a", "10"}, {"uploads", ""}},
                         .headers = {{"x-amz-meta-b", "  two   words "}, {"host", "h"}},
                         .payload_hash = "hash"};
  EXPECT_EQ(SigV4Signer::canonical_request(request),
            "GET\n/a//b/../c\na=10&a=2%203&b=1&uploads=\nhost:h\nx-amz-meta-b:two words\n\n"
            "host;x-amz-meta-b\nhash");
}

TEST(UriEncode, EncodesAllButUnreservedBytes) {
  EXPECT_EQ(uri_encode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(uri_encode(" /+%?#&=*'"), "%20%2F%2B%25%3F%23%26%3D%2A%27");
  EXPECT_EQ(uri_encode("\xc3\xa4\xff"), "%C3%A4%FF");
  EXPECT_EQ(uri_encode(std::string_view("\0", 1)), "%00");
  EXPECT_EQ(uri_encode_path("/a b/c+d"), "/a%20b/c%2Bd");
}

}  // namespace
