#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metadata/error.h"
#include "metadata/ids.h"
#include "metadata/pqxx_versions.h"

namespace metadata {

/// Bytes for a bytea parameter.
struct Bytes {
  std::string_view value;
};

/// A parameter as text; nothing is NULL. libpq reads text up to its NUL byte, so none may hold one.
class TextParameter {
 public:
  TextParameter() = default;
  explicit TextParameter(std::string text) : text_(std::move(text)) {
    if (text_->find('\0') != std::string::npos) {
      throw Error(ErrorCode::invalid, "a NUL byte in a text");
    }
  }
  const char* value() const { return text_ ? text_->c_str() : nullptr; }

 private:
  std::optional<std::string> text_;
};

class BinaryParameter {
 public:
  explicit BinaryParameter(Bytes bytes) : bytes_(bytes) {}
  auto value() const { return binary_parameter(bytes_.value); }

 private:
  Bytes bytes_;
};

inline TextParameter parameter(std::string text) { return TextParameter(std::move(text)); }
inline TextParameter parameter(const char* text) { return TextParameter(text); }
inline TextParameter parameter(bool value) { return TextParameter(value ? "true" : "false"); }
inline BinaryParameter parameter(Bytes bytes) { return BinaryParameter(bytes); }
inline TextParameter parameter(std::nullopt_t) { return TextParameter(); }

template <std::integral Number>
TextParameter parameter(Number value) {
  return TextParameter(std::to_string(value));
}

inline TextParameter parameter(Time time) { return parameter(time.time_since_epoch().count()); }

/// The ids are structs around one number.
template <class Id>
requires std::same_as<decltype(Id::value), std::int64_t> TextParameter parameter(Id id) {
  return parameter(id.value);
}

template <class Value>
TextParameter parameter(const std::optional<Value>& value) {
  return value ? parameter(*value) : TextParameter();
}

/// A PostgreSQL array literal: {1,NULL,3} or {"a","b"}.
std::string array_of(const std::vector<std::int64_t>& values);
std::string array_of(const std::vector<std::optional<std::int64_t>>& values);
std::string array_of(const std::vector<std::string>& values);
std::string array_of(const std::vector<std::optional<std::string>>& values);

/// For what the schema keeps as bigint. Throws invalid above its range.
std::int64_t signed_size(std::uint64_t size);

}  // namespace metadata
