#include "sftpd/sftp/longname.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

namespace sftpd::sftp {
namespace {

/// OpenSSH's border between the two forms of a date.
constexpr std::int64_t half_a_year_seconds = 365LL * 24 * 60 * 60 / 2;
constexpr std::size_t owner_bytes_max = 32;

char type_letter(vfs::NodeKind kind) {
  switch (kind) {
    case vfs::NodeKind::file:
      return '-';
    case vfs::NodeKind::directory:
      return 'd';
    case vfs::NodeKind::symlink:
      return 'l';
  }
  return '?';
}

/// "rwxr-xr-x", with s, S, t and T where set-id and sticky bits are.
std::string permission_letters(std::uint32_t permissions) {
  std::string letters = "---------";
  for (std::size_t bit = 0; bit < letters.size(); ++bit) {
    if (permissions & (0400U >> bit)) letters[bit] = "rwxrwxrwx"[bit];
  }
  if (permissions & 04000) letters[2] = letters[2] == 'x' ? 's' : 'S';
  if (permissions & 02000) letters[5] = letters[5] == 'x' ? 's' : 'S';
  if (permissions & 01000) letters[8] = letters[8] == 'x' ? 't' : 'T';
  return letters;
}

std::string owner(std::uint32_t id, std::uint32_t own_id, const std::string& own_name) {
  const bool one_word = !own_name.empty() && own_name.find(' ') == std::string::npos;
  if (id != own_id || !one_word) return std::to_string(id);
  return own_name.substr(0, owner_bytes_max);
}

/// English months whatever the locale.
std::string date(std::int64_t seconds, std::int64_t now) {
  constexpr std::array months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t time = seconds;
  std::tm utc{};
  if (gmtime_r(&time, &utc) == nullptr) return "Jan  1  1970";
  const auto month = months.at(static_cast<std::size_t>(utc.tm_mon));
  if (seconds > now - half_a_year_seconds && seconds <= now) {
    return fmt::format("{} {:2} {:02}:{:02}", month, utc.tm_mday, utc.tm_hour, utc.tm_min);
  }
  return fmt::format("{} {:2}  {}", month, utc.tm_mday, utc.tm_year + 1900LL);
}

}  // namespace

std::string long_name(std::string_view name, const vfs::Attributes& attributes,
                      const Account& account, std::int64_t now) {
  constexpr int link_count = 1;  // Nothing here has two names.
  return fmt::format("{}{} {:3} {:<8} {:<8} {:8} {} {}", type_letter(attributes.kind),
                     permission_letters(attributes.permissions), link_count,
                     owner(attributes.uid, account.uid, account.name),
                     owner(attributes.gid, account.gid, account.name), attributes.size,
                     date(attributes.mtime, now), name);
}

}  // namespace sftpd::sftp
