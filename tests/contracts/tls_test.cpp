#include <gtest/gtest.h>

#include "storage/s3/s3_object_store.h"
#include "tests/contracts/tls_certificate.h"
#include "tests/storage/scratch_directory.h"
#include "tests/support/versitygw_process.h"

namespace {

using namespace storage;

class Tls : public testing::Test {
 protected:
  void SetUp() override {
    contracts::write_tls_certificate(certificate_, key_);
    server_.start();
  }

  test_support::ScratchDirectory directory_;
  const std::string certificate_ = directory_.path() / "certificate.pem";
  const std::string key_ = directory_.path() / "key.pem";
  test_support::VersitygwProcess server_{certificate_, key_};
  const PutOptions put_options_{
      .content_type = "text/plain", .user_metadata = {{"oid", "1"}}, .sha256_hex = {}};
};

TEST_F(Tls, ACertificateWeTrustIsEnough) {
  auto options = server_.store_options();
  options.ca_file = certificate_;
  s3::S3ObjectStore store(options);
  const std::string body(1U << 20, 'x');
  store.put({"a"}, Payload::copy_of(body), put_options_).get();
  EXPECT_EQ(store.get({"a"}, {0, 2U << 20}).get().text(), body);
}

TEST_F(Tls, ACertificateWeDoNotTrustIsNamedAtOnce) {
  s3::S3ObjectStore store(server_.store_options());
  try {
    store.put({"a"}, Payload::copy_of("x"), put_options_).get();
    FAIL() << "nobody signed for this server";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_NE(std::string(error.what()).find("certificate"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("attempts: 1)"), std::string::npos) << error.what();
  }
}

}  // namespace
