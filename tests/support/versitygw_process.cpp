#include "tests/support/versitygw_process.h"

namespace test_support {

std::vector<std::string> VersitygwProcess::arguments() const {
  return {"--quiet", "--port", address(), "posix", data_directory().string()};
}

std::map<std::string, std::string> VersitygwProcess::environment() const {
  return {{"ROOT_ACCESS_KEY", key_id()}, {"ROOT_SECRET_KEY", secret()}};
}

}  // namespace test_support
