#pragma once

#include "tests/support/s3_server.h"

namespace test_support {

/// versitygw on a directory: a second real S3 server, of other habits than MinIO.
class VersitygwProcess final : public S3Server {
 public:
  VersitygwProcess() : S3Server("versitygw") {}
  /// With TLS, from a certificate and its key in PEM files.
  VersitygwProcess(std::string certificate, std::string key)
      : S3Server("versitygw"), certificate_(std::move(certificate)), key_(std::move(key)) {}

 private:
  bool is_tls() const override { return !certificate_.empty(); }
  std::vector<std::string> arguments() const override;
  std::map<std::string, std::string> environment() const override;

  const std::string certificate_;
  const std::string key_;
};

}  // namespace test_support
