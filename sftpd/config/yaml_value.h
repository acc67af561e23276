#pragma once

#include <yaml-cpp/yaml.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace sftpd::config {

/// A node of the YAML tree that knows its file, its line and its key's full name, for messages.
/// Every reading function throws Error where the node is of another kind.
class YamlValue {
 public:
  /// `line` counts from 1; 0 where none can be named.
  YamlValue(const YAML::Node& node, std::string file, std::string name, int line)
      : node_(node), file_(std::move(file)), name_(std::move(name)), line_(line) {}

  const std::string& name() const { return name_; }

  std::string text() const;
  bool boolean() const;
  /// A whole number from `min` to `max`.
  std::uint64_t number(std::uint64_t min, std::uint64_t max) const;
  std::uint64_t size(std::uint64_t min, std::uint64_t max) const;
  std::chrono::milliseconds duration() const;
  /// A list of texts, or one text.
  std::vector<std::string> texts() const;
  /// One of `allowed`; its place in the list.
  std::size_t choice(std::initializer_list<std::string_view> allowed) const;

  /// Calls `visit(key, value)` for each entry, refusing keys that come twice.
  void each_entry(
      const std::function<void(const std::string& key, const YamlValue& value)>& visit) const;

  /// Throws Error with the file and line in front.
  [[noreturn]] void fail(const std::string& what) const;

 private:
  std::string scalar(std::string_view expected) const;

  YAML::Node node_;
  std::string file_;
  std::string name_;  ///< "storage.bucket"; empty at the top
  int line_ = 0;
};

}  // namespace sftpd::config
