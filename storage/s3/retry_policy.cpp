#include "storage/s3/retry_policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <random>
#include <string>

namespace storage::s3 {
namespace {

using std::chrono::milliseconds;

// 4xx codes that pass: botocore's transient and throttling sets, and the two conflicts of
// conditional writes that AWS documents as "try again".
constexpr std::array<std::string_view, 14> transient_codes = {
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequests",
    "RequestThrottled",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "OperationAborted",
    "ConditionalRequestConflict",
    "InternalError",
    "ServiceUnavailable",
};

// Those of them that say the store has too much to do; the last two are MinIO's.
constexpr std::array<std::string_view, 10> overload_codes = {
    "SlowDown",        "Throttling",       "ThrottlingException",  "ThrottledException",
    "TooManyRequests", "RequestThrottled", "RequestLimitExceeded", "BandwidthLimitExceeded",
    "SlowDownRead",    "SlowDownWrite",
};

double draw_from_thread() {
  thread_local std::minstd_rand engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(engine);
}

bool is_transient_status(int status) {
  return status == 500 || status == 502 || status == 503 || status == 504 || status == 429 ||
         status == 408;
}

}  // namespace

Outcome judge(const http::Response& response, std::string_view error_code) {
  if (response.failure == http::Failure::too_long) return Outcome::fail;
  if (response.failure == http::Failure::untrusted) return Outcome::fail;
  if (response.failure != http::Failure::none) return Outcome::retry;
  const auto* const known = std::find(transient_codes.begin(), transient_codes.end(), error_code);
  if (known != transient_codes.end()) return Outcome::retry;
  if (is_transient_status(response.status)) return Outcome::retry;
  if (response.status >= 200 && response.status < 300) {
    return error_code.empty() ? Outcome::done : Outcome::retry;
  }
  return Outcome::fail;
}

Cause cause_of(const http::Response& response, std::string_view error_code) {
  const bool named =
      std::find(overload_codes.begin(), overload_codes.end(), error_code) != overload_codes.end();
  return named || response.status == 429 ? Cause::overload : Cause::accident;
}

std::optional<milliseconds> retry_after(const http::Response& response, std::string_view error_code,
                                        std::chrono::system_clock::time_point now) {
  constexpr milliseconds longest = std::chrono::hours(1);
  if (error_code == "XMinioServerNotInitialized") return std::nullopt;
  const auto text = http::find_header(response.headers, "retry-after");
  if (!text) return std::nullopt;
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (error == std::errc() && end == text->data() + text->size()) {
    return std::min<milliseconds>(std::chrono::seconds(seconds), longest);
  }
  const auto date = http::parse_http_date(std::string(*text));
  if (!date) return std::nullopt;
  const auto wait = std::chrono::duration_cast<milliseconds>(*date - now);
  return std::clamp(wait, milliseconds(0), longest);
}

RetryPolicy::RetryPolicy(Options options, std::function<double()> random)
    : options_(options), random_(std::move(random)) {}

RetryPolicy::RetryPolicy(Options options) : RetryPolicy(options, draw_from_thread) {}

std::optional<milliseconds> RetryPolicy::delay(int attempts, milliseconds elapsed,
                                               std::optional<milliseconds> wished,
                                               Cause cause) const {
  if (attempts >= options_.attempts_max) return std::nullopt;
  const milliseconds first =
      cause == Cause::overload ? options_.overload_delay_first : options_.delay_first;
  const double ceiling = std::min(static_cast<double>(options_.delay_max.count()),
                                  static_cast<double>(first.count()) * std::exp2(attempts - 1));
  const double drawn = random_();
  const milliseconds backoff{static_cast<long>(ceiling * drawn)};
  const milliseconds left = options_.total_max - elapsed;
  // A first attempt that took all the time (a long Complete) still deserves a second look.
  if (backoff > options_.total_max || (attempts > 1 && backoff > left)) return std::nullopt;
  if (!wished) return backoff;
  const milliseconds wish = std::min(*wished, options_.wish_max);
  const double spread = std::max(ceiling, static_cast<double>(wish.count()) / 4);
  return std::max(backoff, std::min(wish + milliseconds(static_cast<long>(spread * drawn)), left));
}

}  // namespace storage::s3
