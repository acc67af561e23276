#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

#include "storage/http/transfer.h"

namespace storage::s3 {

/// What to do after an attempt.
enum class Outcome { done, retry, fail };

/// Judges a response by its status and, where a body named one, S3's error code. Pure.
Outcome judge(const http::Response& response, std::string_view error_code);

/// What an attempt failed of: an accident, or a store that has more to do than it can.
enum class Cause { accident, overload };

/// Judges an attempt that will be repeated. Pure.
Cause cause_of(const http::Response& response, std::string_view error_code);

/// The store's wish, in whole seconds or as an HTTP date; at most an hour. Not that of a MinIO that
/// is starting: it asks for a minute and is ready in a second.
std::optional<std::chrono::milliseconds> retry_after(const http::Response& response,
                                                     std::string_view error_code,
                                                     std::chrono::system_clock::time_point now);

/// How long to wait before each next attempt: exponential, with full jitter so that many clients
/// of a store that comes back do not all come at once. Safe to call from any thread if `random` is.
class RetryPolicy {
 public:
  struct Options {
    int attempts_max = 100;
    std::chrono::milliseconds delay_first{100};
    /// Instead of delay_first where the store is overloaded (SlowDown).
    std::chrono::milliseconds overload_delay_first{1000};
    std::chrono::milliseconds delay_max{5000};
    /// The longest wish that is believed. A longer one is taken for this.
    std::chrono::milliseconds wish_max{60'000};
    /// No attempt begins later than this after the first, except the second one. Long enough for
    /// a store that is away for a minute.
    std::chrono::milliseconds total_max{120'000};
  };

  /// `random` draws from [0, 1).
  RetryPolicy(Options options, std::function<double()> random);
  explicit RetryPolicy(Options options);

  /// The wait after attempt number `attempts` (from 1), `elapsed` after the first began: what the
  /// store `wished` and up to a quarter more, as far as total_max allows; without a wish at most
  /// delay_max. Nothing: give up.
  std::optional<std::chrono::milliseconds> delay(int attempts, std::chrono::milliseconds elapsed,
                                                 std::optional<std::chrono::milliseconds> wished,
                                                 Cause cause = Cause::accident) const;

 private:
  Options options_;
  std::function<double()> random_;
};

}  // namespace storage::s3
