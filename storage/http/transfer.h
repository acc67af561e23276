#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/large_buffer.h"
#include "storage/payload.h"

namespace storage::http {

/// Name and value, in the order sent or received. Received names are lower case.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// The first value of `name` (lower case), if there is one.
std::optional<std::string_view> find_header(const Headers& headers, std::string_view name);

/// One HTTP request. The body is shared until the answer has come: libcurl may send it again when
/// a kept connection turns out to be dead.
struct Request {
  std::string method = "GET";
  std::string url{};  ///< sent exactly as it stands here
  Headers headers{};  ///< values must not be empty
  Payload body{};
  /// A longer answer's body is cut off and the transfer fails with too_long.
  std::uint64_t body_max = 1ULL << 20;
  /// For the whole transfer. 0: only a stall ends it (MultiEngine::Options).
  std::chrono::milliseconds timeout{0};
  /// Who waits for it, in the engine's eyes: requests of one turn queue behind each other, turns
  /// beside each other (see RequestQueue).
  std::string turn{};
  bool bulky = false;  ///< moves much: leaves connections to those that do not
};

enum class Failure {
  none,       ///< a whole response arrived, whatever its status
  connect,    ///< nothing was sent: name, connection or TLS failed
  untrusted,  ///< nothing was sent: the certificate is not one we trust
  timed_out,  ///< no answer in time, or a stall
  cut_off,    ///< the connection ended within the response; what came is in `body`
  too_long,   ///< more than body_max
  other,
};

/// How a transfer ended.
struct Response {
  Failure failure = Failure::none;
  std::string failure_text{};  ///< for the log
  int status = 0;              ///< 0 where no response came
  Headers headers{};
  LargeBuffer body{};

  std::string_view body_text() const {
    return {reinterpret_cast<const char*>(body.data()), body.size()};
  }
};

/// Parses an HTTP date (`Date`, `Last-Modified`).
std::optional<std::chrono::system_clock::time_point> parse_http_date(const std::string& text);

}  // namespace storage::http
