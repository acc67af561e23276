#include "sftpd/log/escape.h"

#include <cstdint>

namespace sftpd::log {
namespace {

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._/:@+,~%*()[]{}^!?&;|#$<>").find(c) != std::string_view::npos;
}

bool plain(std::string_view text) {
  if (text.empty()) return false;
  for (char c : text) {
    if (!plain(c)) return false;
  }
  return true;
}

void append_hex(std::string& line, unsigned char byte) {
  constexpr char digits[] = "0123456789abcdef";
  line += "\\x";
  line += digits[byte >> 4];
  line += digits[byte & 15];
}

/// Length of the UTF-8 character at the beginning of `text` and its code point; 0 if there is none.
std::size_t decode(std::string_view text, std::uint32_t& code_point) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
  if (length == 0 || text.size() < length) return 0;
  code_point = length == 1 ? first : first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80) return 0;
    code_point = (code_point << 6) | (next & 0x3fU);
  }
  const bool overlong =
      (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
  return overlong || surrogate || code_point > 0x10ffff ? 0 : length;
}

/// Characters that a terminal or a reader of the log would not show as themselves.
bool misleading(std::uint32_t code_point) {
  return (code_point >= 0x7f && code_point < 0xa0) ||                              // controls
         code_point == 0x61c || (code_point >= 0x200b && code_point <= 0x200f) ||  // marks
         (code_point >= 0x2028 && code_point <= 0x202e) ||  // separators, directions
         (code_point >= 0x2060 && code_point <= 0x2069) || code_point == 0xfeff ||
         (code_point >= 0xe0000 && code_point <= 0xe0fff);  // tags
}

void append_character(std::string& line, std::string_view& text) {
  std::uint32_t code_point = 0;
  std::size_t length = decode(text, code_point);
  const char c = text[0];
  if (c == '"' || c == '\\') {
    line += '\\';
    line += c;
  } else if (c == '\n') {
    line += "\\n";
  } else if (c == '\r') {
    line += "\\r";
  } else if (c == '\t') {
    line += "\\t";
  } else if (length == 0 || code_point < 0x20 || misleading(code_point)) {
    if (length == 0) length = 1;
    for (char byte : text.substr(0, length)) append_hex(line, static_cast<unsigned char>(byte));
  } else {
    line += text.substr(0, length);
  }
  text.remove_prefix(length);
}

}  // namespace

void append_escaped(std::string& line, std::string_view text) {
  const bool cut = text.size() > value_length_max;
  if (cut) text = text.substr(0, value_length_max);
  if (!cut && plain(text)) {
    line += text;
    return;
  }
  line += '"';
  while (!text.empty()) append_character(line, text);
  if (cut) line += "...";
  line += '"';
}

}  // namespace sftpd::log
