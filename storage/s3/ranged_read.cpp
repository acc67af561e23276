#include "storage/s3/ranged_read.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "storage/s3/sigv4_signer.h"

namespace storage::s3 {
namespace {

// Room for an error document where the range is shorter than one.
constexpr std::uint64_t error_size_max = 64U << 10;
constexpr int status_ok = 200;
constexpr int status_partial = 206;
constexpr int status_precondition_failed = 412;
constexpr int status_past_the_end = 416;

bool read_number(std::string_view& text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool read_literal(std::string_view& text, std::string_view literal) {
  if (!text.starts_with(literal)) return false;
  text.remove_prefix(literal.size());
  return true;
}

std::optional<ContentRange> range_of(const http::Response& response) {
  const auto text = http::find_header(response.headers, "content-range");
  return text ? parse_content_range(*text) : std::nullopt;
}

}  // namespace

std::optional<ContentRange> parse_content_range(std::string_view text) {
  ContentRange range;
  if (!read_literal(text, "bytes ") || !read_number(text, range.first) ||
      !read_literal(text, "-") || !read_number(text, range.last) || !read_literal(text, "/") ||
      !read_number(text, range.size) || !text.empty()) {
    return std::nullopt;
  }
  if (range.last < range.first || range.last >= range.size) return std::nullopt;
  return range;
}

RangedRead::RangedRead(ObjectKey key, ByteRange range, std::uint64_t size_max)
    : key_(std::move(key)), range_(range), size_max_(size_max) {}

Request RangedRead::request() {
  auto self = shared_from_this();
  Request request{.operation = "GetObject",
                  .key = key_.text,
                  .payload_hash = std::string(unsigned_payload),
                  .body_max = std::max(std::min(range_.length, size_max_), error_size_max)};
  request.verify = [self](const http::Response& response) { return self->verify(response); };
  request.before_retry = [self](http::Response& response, Request& next) {
    self->keep_received(response, next);
  };
  set_range(request);
  return request;
}

void RangedRead::set_range(Request& request) const {
  request.headers = {{"range", fmt::format("bytes={}-{}", range_.offset + received_.size(),
                                           range_.offset + range_.length - 1)}};
  if (!received_.empty() && !etag_.empty()) request.headers.emplace_back("if-match", etag_);
}

// Right status, right place, and every byte that the place promises.
Outcome RangedRead::verify(const http::Response& response) const {
  const std::uint64_t wanted = range_.length - received_.size();
  const std::uint64_t first = range_.offset + received_.size();
  if (response.status == status_ok) {
    // A whole object in answer to a range that covers it is right, if unusual.
    return first == 0 && response.body.size() <= wanted ? Outcome::done : Outcome::retry;
  }
  const auto range = range_of(response);
  if (response.status != status_partial || !range || range->first != first) return Outcome::retry;
  const std::uint64_t expected = std::min(wanted, range->size - first);
  return response.body.size() == expected && range->last - range->first + 1 == expected
             ? Outcome::done
             : Outcome::retry;
}

// Only bytes whose place the response proves are kept.
void RangedRead::keep_received(http::Response& response, Request& request) {
  const auto range = range_of(response);
  const std::uint64_t first = range_.offset + received_.size();
  const std::uint64_t wanted = range_.length - received_.size();
  const auto etag = http::find_header(response.headers, "etag");
  if (response.failure != http::Failure::cut_off || response.status != status_partial || !range ||
      range->first != first || response.body.size() >= wanted || !etag) {
    return;
  }
  etag_ = *etag;
  received_.append(response.body.bytes());
  set_range(request);
}

Payload RangedRead::finish(Answer answer) {
  if (answer.ok) {
    if (received_.empty()) return std::move(answer.response.body).to_payload();
    received_.append(answer.response.body.bytes());
    return std::move(received_).to_payload();
  }
  if (answer.response.status == status_past_the_end) {
    return std::move(received_).to_payload();
  }
  if (answer.response.status == status_precondition_failed) {
    throw Error(ErrorCode::corrupted, "GetObject " + key_.text + ": changed while it was read");
  }
  if (answer.gave_up && answer.response.failure == http::Failure::none &&
      answer.response.status < 300) {
    throw Error(ErrorCode::corrupted, "GetObject " + key_.text + ": answers are not the range");
  }
  throw error_of(answer);
}

}  // namespace storage::s3
