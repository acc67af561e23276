#pragma once

#include <stdexcept>

namespace sftpd::config {

/// The configuration cannot be used. The message is for the admin: "file:line: what is wrong". It
/// never holds a secret.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace sftpd::config
