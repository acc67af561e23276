#pragma once

#include <vector>

#include "sftpd/admin/context.h"
#include "sftpd/program_options.h"

namespace sftpd {

/// What `shoebox check` tries of this machine beside database and store: host keys, addresses,
/// directories, open files. They run as the user who asks: ask as the service's user.
std::vector<admin::Check> machine_checks(const ProgramOptions& options);

}  // namespace sftpd
