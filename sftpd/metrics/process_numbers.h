#pragma once

#include <cstdint>

/// What the kernel says of this process. Safe from any thread; 0 where it says nothing.
namespace sftpd::metrics {

std::uint64_t resident_bytes();
std::uint64_t open_descriptors();
std::uint64_t descriptors_max();
double cpu_seconds();
/// Since 1970.
double start_time_seconds();

}  // namespace sftpd::metrics
