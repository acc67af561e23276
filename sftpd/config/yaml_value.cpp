#include "sftpd/config/yaml_value.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <set>

#include "sftpd/config/error.h"
#include "sftpd/config/quantities.h"

namespace sftpd::config {

void YamlValue::fail(const std::string& what) const {
  if (line_ == 0) throw Error(fmt::format("{}: {}", file_, what));
  throw Error(fmt::format("{}:{}: {}", file_, line_, what));
}

std::string YamlValue::scalar(std::string_view expected) const {
  if (!node_.IsScalar()) fail(fmt::format("'{}' must be {}", name_, expected));
  return node_.Scalar();
}

std::string YamlValue::text() const {
  std::string value = scalar("a text");
  if (value.empty()) fail(fmt::format("'{}' is empty", name_));
  if (value.find('\0') != std::string::npos) fail(fmt::format("'{}' holds a NUL byte", name_));
  return value;
}

bool YamlValue::boolean() const {
  const std::string value = scalar("true or false");
  if (value == "true" || value == "yes" || value == "on") return true;
  if (value == "false" || value == "no" || value == "off") return false;
  fail(fmt::format("'{}' must be true or false, not '{}'", name_, value));
}

std::uint64_t YamlValue::number(std::uint64_t min, std::uint64_t max) const {
  const std::string value = scalar("a whole number");
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < min || number > max) {
    fail(
        fmt::format("'{}' must be a whole number from {} to {}, not '{}'", name_, min, max, value));
  }
  return number;
}

std::uint64_t YamlValue::size(std::uint64_t min, std::uint64_t max) const {
  const std::string value = scalar("a size like 10G or 256MiB");
  const auto size = parse_size(value);
  if (!size) fail(fmt::format("'{}' must be a size like 10G or 256MiB, not '{}'", name_, value));
  if (*size < min || *size > max) {
    fail(fmt::format("'{}' must be from {} to {} bytes, not '{}'", name_, min, max, value));
  }
  return *size;
}

std::chrono::milliseconds YamlValue::duration() const {
  const std::string value = scalar("a duration like 30s or 7d");
  const auto duration = parse_duration(value);
  if (!duration) {
    fail(fmt::format("'{}' must be a duration like 30s or 7d, not '{}'", name_, value));
  }
  return *duration;
}

std::vector<std::string> YamlValue::texts() const {
  if (!node_.IsSequence()) return {text()};
  std::vector<std::string> all;
  for (const YAML::Node& item : node_) {
    all.push_back(YamlValue(item, file_, name_, item.Mark().line + 1).text());
  }
  if (all.empty()) fail(fmt::format("'{}' is an empty list", name_));
  return all;
}

std::size_t YamlValue::choice(std::initializer_list<std::string_view> allowed) const {
  const std::string value = text();
  std::size_t place = 0;
  for (const std::string_view one : allowed) {
    if (one == value) return place;
    ++place;
  }
  fail(fmt::format("'{}' must be one of {}, not '{}'", name_, fmt::join(allowed, ", "), value));
}

void YamlValue::each_entry(
    const std::function<void(const std::string& key, const YamlValue& value)>& visit) const {
  if (!node_.IsMap()) {
    if (name_.empty()) fail("the file must consist of 'key: value' lines");
    fail(fmt::format("'{}' must be a section with keys of its own", name_));
  }
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    const int line = entry.first.Mark().line + 1;
    const YamlValue key_node(entry.first, file_, name_, line);
    if (!entry.first.IsScalar()) key_node.fail("a key must be a word");
    const std::string key = entry.first.Scalar();
    if (!seen.insert(key).second) key_node.fail(fmt::format("'{}' stands here twice", key));
    if (entry.second.IsNull()) key_node.fail(fmt::format("'{}' has no value", key));
    visit(key, YamlValue(entry.second, file_, name_.empty() ? key : name_ + "." + key, line));
  }
}

}  // namespace sftpd::config
