#include "sftpd/admin/attachment.h"

#include <fmt/format.h>

#include <string_view>

namespace sftpd::admin {
namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// RFC 8187, section 3.2.1.
bool is_attr_char(char c) {
  constexpr std::string_view others = "!#$&+-.^_`|~";
  return is_letter_or_digit(c) || others.find(c) != std::string_view::npos;
}

/// Safe between quotes, also where a browser decodes %XX.
bool is_plain(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '%'; }

/// A character of several bytes becomes one '_'.
std::string plain(const std::string& name) {
  std::string text;
  for (const char c : name) {
    const bool continues = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
    if (!continues) text += is_plain(c) ? c : '_';
  }
  return text;
}

std::string encoded(const std::string& name) {
  std::string text;
  for (const char c : name) {
    text +=
        is_attr_char(c) ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return text;
}

}  // namespace

std::string attachment_named(const std::string& name) {
  const std::string simple = fmt::format("attachment; filename=\"{}\"", plain(name));
  if (plain(name) == name) return simple;
  return fmt::format("{}; filename*=UTF-8''{}", simple, encoded(name));
}

}  // namespace sftpd::admin
