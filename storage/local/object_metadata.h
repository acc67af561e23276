#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "storage/object_store.h"

namespace storage::local {

/// What is kept beside an object's bytes.
struct ObjectMetadata {
  std::string key;  ///< for people, and for uploads, whose directories do not say it
  ETag etag;
  std::string content_type;
  std::map<std::string, std::string> user_metadata;

  /// A line each: `etag 0f3a...`, `user oid 17`. Values hold no line breaks (check_put_options).
  std::string encode() const;
  /// Unknown lines are left out.
  static ObjectMetadata decode(std::string_view text);
};

/// A new tag; as random as a key's name.
ETag random_etag();

}  // namespace storage::local
