#include "tests/support/minio_process.h"

namespace test_support {

std::vector<std::string> MinioProcess::arguments() const {
  return {"server", "--quiet", "--address", address(), data_directory().string()};
}

std::map<std::string, std::string> MinioProcess::environment() const {
  return {{"MINIO_ROOT_USER", key_id()}, {"MINIO_ROOT_PASSWORD", secret()},
          {"MINIO_DOMAIN", "localhost"}, {"MINIO_BROWSER", "off"},
          {"MINIO_UPDATE", "off"},       {"MINIO_CALLHOME_ENABLE", "off"}};
}

}  // namespace test_support
