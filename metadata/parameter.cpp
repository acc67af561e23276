#include "metadata/parameter.h"

#include <limits>

namespace metadata {
namespace {

std::string element(std::int64_t value) { return std::to_string(value); }

std::string element(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

template <class Value>
std::string element(const std::optional<Value>& value) {
  return value ? element(*value) : "NULL";
}

template <class Values>
std::string literal(const Values& values) {
  std::string text = "{";
  for (const auto& value : values) {
    if (text.size() > 1) text += ',';
    text += element(value);
  }
  return text + '}';
}

}  // namespace

std::string array_of(const std::vector<std::int64_t>& values) { return literal(values); }
std::string array_of(const std::vector<std::optional<std::int64_t>>& values) {
  return literal(values);
}
std::string array_of(const std::vector<std::string>& values) { return literal(values); }
std::string array_of(const std::vector<std::optional<std::string>>& values) {
  return literal(values);
}

std::int64_t signed_size(std::uint64_t size) {
  if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    throw Error(ErrorCode::invalid, "a size above what the schema can keep");
  }
  return static_cast<std::int64_t>(size);
}

}  // namespace metadata
