#pragma once

#include <compare>
#include <string>

namespace storage {

/// An object's name in the store: printable ASCII without `//`, `.` or `..` components, at most
/// 1,024 bytes. It says nothing about the path a client sees.
struct ObjectKey {
  std::string text;
  auto operator<=>(const ObjectKey&) const = default;
};

/// Draws a new key, `{prefix}/v1/{2 hex}/{32 hex}`, from the system's random source. `prefix` may
/// be empty, and then has no slash behind it.
ObjectKey random_object_key(const std::string& prefix);

/// Whether `key` keeps the rules of ObjectKey. Stores refuse (rejected) one that does not.
bool is_valid(const ObjectKey& key);

}  // namespace storage
