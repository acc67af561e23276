#include "storage/s3/request.h"

#include <fmt/format.h>

#include <algorithm>

namespace storage::s3 {
namespace {

constexpr std::size_t message_size_max = 300;

// The store's own words may hold anything; the log gets one printable line.
std::string printable(std::string text) {
  if (text.size() > message_size_max) text.resize(message_size_max);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

ErrorCode code_of(const Answer& answer) {
  const std::string& code = answer.error.code;
  const int status = answer.response.status;
  if (code == "NoSuchUpload") return ErrorCode::no_such_upload;
  if (code == "NoSuchBucket") return ErrorCode::rejected;
  if (code == "NoSuchKey" || status == 404) return ErrorCode::no_such_key;
  if (code == "BadDigest" || code.starts_with("XAmzContentSHA256")) return ErrorCode::corrupted;
  if (code == "XMinioStorageFull" || code == "QuotaExceeded" || status == 507) {
    return ErrorCode::no_space;
  }
  const bool untrusted = answer.response.failure == http::Failure::untrusted;
  if (answer.gave_up || untrusted) return ErrorCode::unavailable;
  if (status == 401 || status == 403) return ErrorCode::access_denied;
  return ErrorCode::rejected;
}

}  // namespace

Error error_of(const Answer& answer) {
  const http::Response& response = answer.response;
  std::string what = response.failure == http::Failure::none
                         ? fmt::format("{} {}", response.status, answer.error.code)
                         : response.failure_text;
  if (response.failure == http::Failure::none && !answer.error.message.empty()) {
    what += ": " + answer.error.message;
  }
  return Error(code_of(answer),
               fmt::format("{} {}: {} (attempts: {})", answer.operation, answer.key,
                           printable(std::move(what)), answer.attempts));
}

}  // namespace storage::s3
