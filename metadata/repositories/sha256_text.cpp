#include "metadata/repositories/sha256_text.h"

#include <algorithm>

namespace metadata {

std::optional<std::string> hexadecimal(const std::optional<Sha256>& sha256) {
  if (!sha256) return std::nullopt;
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : *sha256) {
    text += digits[std::to_integer<unsigned>(byte >> 4)];
    text += digits[std::to_integer<unsigned>(byte & std::byte{15})];
  }
  return text;
}

std::optional<std::string> bytea_text(const std::optional<Sha256>& sha256) {
  if (!sha256) return std::nullopt;
  return "\\x" + *hexadecimal(sha256);
}

std::optional<Sha256> sha256_of(const pqxx::field& field) {
  if (field.is_null()) return std::nullopt;
  const std::string bytes = bytes_of(field);
  Sha256 sha256{};
  if (bytes.size() != sha256.size()) return std::nullopt;
  std::transform(bytes.begin(), bytes.end(), sha256.begin(),
                 [](char c) { return static_cast<std::byte>(c); });
  return sha256;
}

}  // namespace metadata
