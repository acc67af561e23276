#pragma once

#include <cstdint>

namespace sftpd::process {

/// Raises the number of files this process may open to the most that it may ask for. Returns what
/// holds now.
std::uint64_t raise_file_limit();

}  // namespace sftpd::process
