#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>

#include "storage/error.h"
#include "storage/http/transfer.h"
#include "storage/payload.h"
#include "storage/s3/retry_policy.h"
#include "storage/s3/xml.h"

namespace storage::s3 {

/// One request of S3's API before it is signed.
struct Request {
  std::string operation{};  ///< the API's name of it: PutObject
  std::string method = "GET";
  std::string key{};  ///< empty: the request is about the bucket
  http::Headers query{};
  http::Headers headers{};  ///< lower-case names; all are signed
  Payload body{};
  std::string payload_hash{};
  std::uint64_t body_max = 1ULL << 20;
  std::chrono::milliseconds timeout{0};  ///< 0: only a stall ends an attempt

  /// A 2xx answer is XML and may be an <Error> nevertheless.
  bool answers_xml = false;
  /// Looks into a 2xx answer that seems good: retry where it is not the answer to this request.
  std::function<Outcome(const http::Response&)> verify{};
  /// Told of an attempt that will be repeated; may keep what came and change the next one.
  std::function<void(http::Response&, Request&)> before_retry{};
};

/// What came of a request after all attempts.
struct Answer {
  bool ok = false;
  bool gave_up = false;  ///< transient failures only, but too many: what it did is not known
  int attempts = 1;
  std::string operation{};
  std::string key{};
  http::Response response{};  ///< of the last attempt
  ErrorAnswer error{};
};

/// The failure in a caller's terms, its message ready for the log.
Error error_of(const Answer& answer);

}  // namespace storage::s3
