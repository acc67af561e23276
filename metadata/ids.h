#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>

namespace metadata {

// Identities are types, so that the compiler tells them apart. 0 is never a row's id.
struct AccountId {
  std::int64_t value = 0;
  auto operator<=>(const AccountId&) const = default;
};
struct UserId {
  std::int64_t value = 0;
  auto operator<=>(const UserId&) const = default;
};
struct NodeId {
  std::int64_t value = 0;
  auto operator<=>(const NodeId&) const = default;
};
/// A file as those who have it open know it. A node that another file is moved onto is that file
/// from then on; a file's own id is that of the node that it was made as.
struct FileId {
  std::int64_t value = 0;
  auto operator<=>(const FileId&) const = default;
};
struct VersionId {
  std::int64_t value = 0;
  auto operator<=>(const VersionId&) const = default;
};
struct ObjectId {
  std::int64_t value = 0;
  auto operator<=>(const ObjectId&) const = default;
};

/// A point in time as PostgreSQL keeps it.
using Time = std::chrono::sys_time<std::chrono::microseconds>;

}  // namespace metadata

template <>
struct std::hash<metadata::AccountId> {
  std::size_t operator()(metadata::AccountId id) const {
    return std::hash<std::int64_t>{}(id.value);
  }
};
template <>
struct std::hash<metadata::NodeId> {
  std::size_t operator()(metadata::NodeId id) const { return std::hash<std::int64_t>{}(id.value); }
};
template <>
struct std::hash<metadata::ObjectId> {
  std::size_t operator()(metadata::ObjectId id) const {
    return std::hash<std::int64_t>{}(id.value);
  }
};
