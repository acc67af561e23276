#pragma once

#include "tests/support/s3_server.h"

namespace test_support {

/// versitygw on a directory: a second real S3 server, of other habits than MinIO.
class VersitygwProcess final : public S3Server {
 public:
  VersitygwProcess() : S3Server("versitygw") {}

 private:
  std::vector<std::string> arguments() const override;
  std::map<std::string, std::string> environment() const override;
};

}  // namespace test_support
