#include "storage/request_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string_view>

namespace storage {
namespace {

// S3 allows 2 KiB of user metadata in all.
constexpr std::size_t metadata_size_max = 2048;
constexpr std::size_t content_type_size_max = 256;

// Services count offsets in signed numbers.
constexpr std::uint64_t offset_max = 1ULL << 62;

Error rejected(const std::string& message) { return Error(ErrorCode::rejected, message); }

bool is_header_value(std::string_view value) {
  return !value.empty() && value.front() != ' ' && value.back() != ' ' &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_metadata_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

}  // namespace

void check_key(const ObjectKey& key) {
  if (!is_valid(key)) throw rejected("not an object key");
}

void check_upload(const ObjectKey& key, const UploadId& upload) {
  check_key(key);
  if (upload.text.empty()) throw Error(ErrorCode::no_such_upload, "an upload without an id");
}

void check_put_options(const PutOptions& options) {
  std::size_t metadata_size = 0;
  bool fits =
      is_header_value(options.content_type) && options.content_type.size() <= content_type_size_max;
  for (const auto& [name, value] : options.user_metadata) {
    fits = fits && is_metadata_name(name) && is_header_value(value);
    metadata_size += name.size() + value.size();
  }
  if (!fits || metadata_size > metadata_size_max) {
    throw rejected("metadata must be printable ASCII, 2 KiB at most");
  }
}

void check_put_size(const Limits& limits, std::uint64_t size_bytes) {
  if (size_bytes > limits.put_size_max) {
    throw rejected(fmt::format("{} bytes are too many for one request", size_bytes));
  }
}

void check_part(const Limits& limits, PartPosition position, std::uint64_t size_bytes) {
  if (position.number < 1 || position.number > limits.parts_max) {
    throw rejected(fmt::format("part {}: there are 1 to {}", position.number, limits.parts_max));
  }
  if (size_bytes > limits.part_size_max || position.offset > offset_max) {
    throw rejected(fmt::format("part {}: {} bytes at {} are too many", position.number, size_bytes,
                               position.offset));
  }
}

void check_copy(const Limits& limits, ByteRange range) {
  if (!limits.part_copy) throw rejected("this store copies no parts");
  if (range.length == 0) throw rejected("an empty range cannot be copied");
  if (range.offset > offset_max) throw rejected("the range ends behind the source");
}

void check_parts(const std::vector<CompletedPart>& parts) {
  if (parts.empty()) throw rejected("an upload needs at least one part");
  const auto unordered = std::adjacent_find(
      parts.begin(), parts.end(),
      [](const CompletedPart& a, const CompletedPart& b) { return a.number >= b.number; });
  if (unordered != parts.end()) throw rejected("parts must be in ascending order, each once");
}

std::uint64_t total_size(const std::vector<CompletedPart>& parts) {
  return std::accumulate(
      parts.begin(), parts.end(), std::uint64_t{0},
      [](std::uint64_t sum, const CompletedPart& part) { return sum + part.size_bytes; });
}

bool is_same_object(const ObjectInfo& found, const std::vector<CompletedPart>& parts,
                    const std::string& oid) {
  const auto token = found.user_metadata.find("oid");
  return !oid.empty() && found.size_bytes == total_size(parts) &&
         token != found.user_metadata.end() && token->second == oid;
}

}  // namespace storage
