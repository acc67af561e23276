#pragma once

#include <string>

#include "metadata/repositories/versions.h"

namespace sftpd::vfs {

metadata::Sha256 sha256_of(const std::string& bytes);

}  // namespace sftpd::vfs
