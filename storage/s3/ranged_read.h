#pragma once

#include <memory>
#include <optional>
#include <string>

#include "storage/object_store.h"
#include "storage/s3/request.h"

namespace storage::s3 {

/// What a Content-Range header says: `bytes 0-9/443`.
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t size = 0;  ///< of the whole object
};
std::optional<ContentRange> parse_content_range(std::string_view text);

/// A GET of one range over all its attempts. What an attempt brought before it was cut off is kept,
/// and the next one asks for the rest of the same content (If-Match). Only the runner's callbacks
/// use it, one at a time.
class RangedRead : public std::enable_shared_from_this<RangedRead> {
 public:
  /// The range must not be empty. An answer longer than `size_max` fails (rejected).
  RangedRead(ObjectKey key, ByteRange range, std::uint64_t size_max);

  Request request();
  /// Reads the last answer. Throws Error.
  Payload finish(Answer answer);

 private:
  void set_range(Request& request) const;
  Outcome verify(const http::Response& response) const;
  void keep_received(http::Response& response, Request& request);

  const ObjectKey key_;
  const ByteRange range_;
  const std::uint64_t size_max_;
  LargeBuffer received_;
  std::string etag_;  // of what was received, as the store wrote it
};

}  // namespace storage::s3
