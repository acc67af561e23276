#pragma once

#include <string>

#include "sftpd/config/error.h"

namespace sftpd::config {

struct Secret {
  std::string text;     ///< without the newline at its end
  std::string warning;  ///< for the log, empty if all is well: others may read the file
};

/// Reads a password or key from a file of at most 64 KiB. Throws Error: missing, unreadable, empty.
Secret read_secret_file(const std::string& file);

}  // namespace sftpd::config
