#pragma once

#include "tests/support/s3_server.h"

namespace test_support {

/// MinIO: the S3 server most people run themselves. It answers to BUCKET.localhost too.
class MinioProcess final : public S3Server {
 public:
  MinioProcess() : S3Server("minio") {}

 private:
  std::vector<std::string> arguments() const override;
  std::map<std::string, std::string> environment() const override;
};

}  // namespace test_support
