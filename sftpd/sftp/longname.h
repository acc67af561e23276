#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sftpd/vfs/attributes.h"

namespace sftpd::sftp {

/// Whose numbers have a name in listings: the user who is logged in.
struct Account {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string name;
};

/// One line as `ls -l` prints it, which FileZilla and others parse. Dates are in UTC: the time of
/// day within the last half year, else the year, as OpenSSH's server does. `now` in seconds since
/// 1970.
std::string long_name(std::string_view name, const vfs::Attributes& attributes,
                      const Account& account, std::int64_t now);

/// The longest long_name() without the name.
constexpr std::size_t long_name_prefix_bytes_max = 160;

}  // namespace sftpd::sftp
