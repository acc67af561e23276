#include "sftpd/config/secret_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

namespace sftpd::config {

Secret read_secret_file(const std::string& file) {
  constexpr std::size_t size_max = 64U << 10;
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) {
    throw Error(fmt::format("cannot read {}: {}", file, std::generic_category().message(errno)));
  }
  if (!S_ISREG(status.st_mode)) throw Error(fmt::format("{} is not a file", file));
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error(fmt::format("cannot read {}: permission denied", file));
  Secret secret;
  secret.text.resize(size_max + 1);
  in.read(secret.text.data(), static_cast<std::streamsize>(secret.text.size()));
  secret.text.resize(static_cast<std::size_t>(in.gcount()));
  if (secret.text.size() > size_max) throw Error(fmt::format("{} is too long", file));
  while (!secret.text.empty() && (secret.text.back() == '\n' || secret.text.back() == '\r')) {
    secret.text.pop_back();
  }
  if (secret.text.empty()) throw Error(fmt::format("{} is empty", file));
  if ((status.st_mode & S_IROTH) != 0) {
    secret.warning = fmt::format("{} can be read by everybody: chmod 600 {}", file, file);
  }
  return secret;
}

}  // namespace sftpd::config
