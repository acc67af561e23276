#pragma once

#include <string>
#include <string_view>

namespace sftpd::log {

/// Values longer than this are cut, with "..." behind.
inline constexpr std::size_t value_length_max = 1024;

/// Appends `text` as the value of `key=value`: bare if it is a plain ASCII word, else in double
/// quotes, where quotes, backslashes, control characters, characters that turn the direction of
/// text around or break lines, and bytes that are not UTF-8 become \", \\, \n, \r, \t or \xHH.
void append_escaped(std::string& line, std::string_view text);

}  // namespace sftpd::log
