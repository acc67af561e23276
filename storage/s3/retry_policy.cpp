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

std::optional<milliseconds> retry_after(const http::Response& response,
                                        std::chrono::system_clock::time_point now) {
  constexpr milliseconds longest = std::chrono::hours(1);
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
                                               std::optional<milliseconds> wished) const {
  if (attempts >= options_.attempts_max) return std::nullopt;
  const double ceiling =
      std::min(static_cast<double>(options_.delay_max.count()),
               static_cast<double>(options_.delay_first.count()) * std::exp2(attempts - 1));
  const milliseconds jittered{static_cast<long>(ceiling * random_())};
  // A wish is advice: MinIO, starting, asks for a minute and is ready in a second.
  const milliseconds wish = std::min(wished.value_or(milliseconds(0)), options_.delay_max);
  const milliseconds wait = std::max(jittered, wish);
  // A first attempt that took all the time (a long Complete) still deserves a second look.
  if (attempts > 1 && elapsed + wait > options_.total_max) return std::nullopt;
  if (wait > options_.total_max) return std::nullopt;
  return wait;
}

}  // namespace storage::s3
