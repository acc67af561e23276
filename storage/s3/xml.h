#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/object_store.h"

namespace storage::s3 {

/// The XML that S3 speaks: answers are parsed, one request body is written. Pure functions; an
/// answer that is not the wanted document gives nothing. Answers above xml_size_max give nothing.
inline constexpr std::size_t xml_size_max = 8U << 20;

struct ErrorAnswer {
  std::string code;  ///< such as NoSuchKey; empty where unknown
  std::string message;
  std::string region;
};

struct ListedKeys {
  std::vector<ListedObject> objects;
  std::string next;  ///< continuation token; empty at the end
};

struct ListedUploads {
  struct Upload {
    std::string key;
    UploadId id;
  };
  std::vector<Upload> uploads;
  bool truncated = false;
  std::string next_key;
  std::string next_upload;
};

struct ListedParts {
  std::vector<CompletedPart> parts;
  bool truncated = false;
  std::string next_number;
};

std::optional<ErrorAnswer> parse_error(std::string_view xml);
std::optional<UploadId> parse_created_upload(std::string_view xml);
std::optional<ETag> parse_completed_upload(std::string_view xml);
std::optional<ETag> parse_copied_part(std::string_view xml);
std::optional<ListedKeys> parse_listed_keys(std::string_view xml);
std::optional<ListedUploads> parse_listed_uploads(std::string_view xml);
std::optional<ListedParts> parse_listed_parts(std::string_view xml);

/// The body of CompleteMultipartUpload.
std::string write_complete_upload(const std::vector<CompletedPart>& parts);

/// Entity tags are kept without their quotes, which stores add or leave out as they like.
ETag unquoted_etag(std::string_view text);
std::string quoted_etag(const ETag& etag);

/// `2009-10-12T17:50:30.000Z`; fractions are dropped.
std::optional<std::chrono::system_clock::time_point> parse_iso_time(std::string_view text);

}  // namespace storage::s3
