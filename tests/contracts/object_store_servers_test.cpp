#include "storage/s3/s3_object_store.h"
#include "tests/contracts/object_store_contract.h"
#include "tests/contracts/s3_servers.h"
#include "tests/contracts/session_token.h"
#include "tests/support/minio_process.h"
#include "tests/support/versitygw_process.h"

namespace contracts {
namespace {

class Servers : public testing::Environment {
 public:
  void SetUp() override {
    minio_ = std::make_unique<test_support::MinioProcess>();
    versitygw_ = std::make_unique<test_support::VersitygwProcess>();
    minio_->start();
    versitygw_->start();
  }
  void TearDown() override {
    minio_.reset();
    versitygw_.reset();
  }

  std::unique_ptr<test_support::S3Server> minio_;
  std::unique_ptr<test_support::S3Server> versitygw_;
};

// Owned by gtest, which starts and stops it around the tests.
Servers& servers() {
  static auto* const environment =
      static_cast<Servers*>(testing::AddGlobalTestEnvironment(new Servers));
  return *environment;
}
[[maybe_unused]] const Servers& registered = servers();

std::shared_ptr<ObjectStore> open_store(const test_support::S3Server& server,
                                        storage::s3::PayloadSigning signing) {
  auto options = server.store_options();
  options.payload_signing = signing;
  return std::make_shared<storage::s3::S3ObjectStore>(options);
}

// The bucket is in the host's name, as on Amazon. curl finds names below localhost on this machine.
std::shared_ptr<ObjectStore> open_virtual_host() {
  auto options = minio().store_options();
  options.endpoint = "http://localhost:" + std::to_string(minio().port());
  options.path_style = false;
  return std::make_shared<storage::s3::S3ObjectStore>(options);
}

std::shared_ptr<ObjectStore> open_with_session_token() {
  auto options = minio().store_options();
  options.credentials = assume_role(minio());
  return std::make_shared<storage::s3::S3ObjectStore>(options);
}

TEST(SessionToken, IsWhatLetsATemporaryKeyIn) {
  auto options = minio().store_options();
  options.credentials = assume_role(minio());
  EXPECT_FALSE(options.credentials.session_token.empty());
  options.credentials.session_token.clear();
  storage::s3::S3ObjectStore store(options);
  EXPECT_EQ(error_of([&] { store.list("", "").get(); }), ErrorCode::access_denied);
}

using storage::s3::PayloadSigning;

INSTANTIATE_TEST_SUITE_P(
    Servers, ObjectStoreContract,
    testing::Values(
        StoreUnderTest{"minio", [] { return open_store(minio(), PayloadSigning::automatic); }},
        StoreUnderTest{"minio_signed", [] { return open_store(minio(), PayloadSigning::always); }},
        StoreUnderTest{"minio_virtual_host", open_virtual_host},
        StoreUnderTest{"minio_session_token", open_with_session_token},
        StoreUnderTest{"versitygw",
                       [] { return open_store(versitygw(), PayloadSigning::automatic); }},
        StoreUnderTest{"versitygw_signed",
                       [] { return open_store(versitygw(), PayloadSigning::always); }}),
    name_of);

}  // namespace

test_support::S3Server& minio() { return *servers().minio_; }
test_support::S3Server& versitygw() { return *servers().versitygw_; }

}  // namespace contracts
