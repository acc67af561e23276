#include "tests/support/versitygw_process.h"

namespace test_support {

std::vector<std::string> VersitygwProcess::arguments() const {
  std::vector<std::string> words = {"--quiet", "--port", address()};
  if (is_tls()) words.insert(words.end(), {"--cert", certificate_, "--key", key_});
  words.insert(words.end(), {"posix", data_directory().string()});
  return words;
}

std::map<std::string, std::string> VersitygwProcess::environment() const {
  return {{"ROOT_ACCESS_KEY", key_id()}, {"ROOT_SECRET_KEY", secret()}};
}

}  // namespace test_support
