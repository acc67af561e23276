#include "storage/s3/request_runner.h"

#include <fmt/format.h>

#include <cstdlib>

namespace storage::s3 {
namespace {

using SteadyClock = std::chrono::steady_clock;
using SystemClock = std::chrono::system_clock;

// A HEAD carries no error code; S3 refuses signatures off by 15 minutes, and no healthy pair of
// clocks is off by five.
constexpr std::int64_t suspicious_skew_seconds = 300;

// What moves more is a part of something large; for what moves less, somebody may be waiting.
constexpr std::uint64_t small_bytes_max = 256ULL << 10;

bool is_bulky(const Request& request) {
  return request.body.size() > small_bytes_max || request.operation == "UploadPartCopy" ||
         (request.operation == "GetObject" && request.body_max > small_bytes_max);
}

std::string reason_of(const Answer& answer) {
  if (answer.response.failure != http::Failure::none) return answer.response.failure_text;
  return fmt::format("{} {}", answer.response.status, answer.error.code);
}

bool is_digest_refusal(const std::string& code) {
  return code == "BadDigest" || code == "XAmzContentSHA256Mismatch" ||
         code == "XAmzContentChecksumMismatch";
}

}  // namespace

struct RequestRunner::Call {
  Request request;
  Done done;
  Answer answer{};
  SteadyClock::time_point started = SteadyClock::now();
  std::uint64_t bytes_received = 0;
  // What the attempt under way was signed with. Other calls may have learnt better meanwhile.
  std::string region{};
  std::int64_t clock_offset_seconds = 0;
  // Each correction is tried once: if it does not help, it was not the cause.
  bool clock_corrected = false;
  bool region_corrected = false;
  bool digest_retried = false;
};

RequestRunner::RequestRunner(Options options)
    : options_(std::move(options)),
      signer_(options_.credentials),
      retry_policy_(options_.retry),
      region_(options_.region),
      engine_(options_.engine) {}

RequestRunner::~RequestRunner() { closing_ = true; }

SystemClock::time_point RequestRunner::store_now(std::int64_t clock_offset_seconds) {
  return SystemClock::now() + std::chrono::seconds(clock_offset_seconds);
}

std::string RequestRunner::region() const {
  std::lock_guard lock(mutex_);
  return region_;
}

Endpoint RequestRunner::endpoint_in(const std::string& region) const {
  return region == options_.region ? options_.endpoint : options_.endpoint.in_region(region);
}

void RequestRunner::send(Request request, Done done) {
  auto call = std::make_shared<Call>(Call{.request = std::move(request), .done = std::move(done)});
  call->answer.operation = call->request.operation;
  call->answer.key = call->request.key;
  call->answer.attempts = 0;
  attempt(call);
}

void RequestRunner::stop(std::chrono::milliseconds grace) {
  engine_.run_after(grace, [this] {
    closing_ = true;
    engine_.cancel_all();
  });
}

void RequestRunner::attempt(const CallPtr& call) {
  ++call->answer.attempts;
  call->region = region();
  call->clock_offset_seconds = clock_offset_seconds_;
  const bool accepted = engine_.submit(
      signed_request(*call),
      [this, call](http::Response response) { on_response(call, std::move(response)); });
  if (accepted) return;
  call->answer.response = {.failure = http::Failure::other,
                           .failure_text = closing_ ? "the store was told to stop"
                                                    : "too many requests are waiting already"};
  call->answer.gave_up = true;
  finish(call);
}

http::Request RequestRunner::signed_request(const Call& call) const {
  const Request& request = call.request;
  const Endpoint where = endpoint_in(call.region);
  Address address = address_of(where, options_.bucket, options_.path_style, request.key);
  Signable signable{.method = request.method,
                    .path = std::move(address.path),
                    .query = request.query,
                    .headers = request.headers,
                    .payload_hash = request.payload_hash};
  signable.headers.emplace_back("host", address.host);
  signable.headers.emplace_back("x-amz-content-sha256", request.payload_hash);
  signer_.sign(signable, store_now(call.clock_offset_seconds), call.region);
  std::string url =
      (where.tls ? "https://" : "http://") + address.host + uri_encode_path(signable.path);
  if (!signable.query.empty()) url += "?" + canonical_query(signable.query);
  return {.method = request.method,
          .url = std::move(url),
          .headers = std::move(signable.headers),
          .body = request.body,
          .body_max = request.body_max,
          .timeout = request.timeout,
          .turn = request.key,
          .bulky = is_bulky(request)};
}

void RequestRunner::on_response(const CallPtr& call, http::Response response) {
  call->bytes_received += response.body.size();
  call->answer.response = std::move(response);
  const Outcome outcome = judge_response(*call);
  if (outcome == Outcome::done) {
    call->answer.ok = true;
    finish(call);
  } else if (!closing_ && correct_and_repeat(*call)) {
    attempt(call);
  } else if (outcome == Outcome::retry) {
    retry_or_give_up(call);
  } else {
    finish(call);
  }
}

Outcome RequestRunner::judge_response(Call& call) const {
  Answer& answer = call.answer;
  answer.error = {};
  const bool good = answer.response.status >= 200 && answer.response.status < 300;
  if (answer.response.failure == http::Failure::none && (!good || call.request.answers_xml)) {
    answer.error = parse_error(answer.response.body_text()).value_or(ErrorAnswer{});
    // MinIO says it in a header too, which a HEAD can carry.
    const auto named = http::find_header(answer.response.headers, "x-minio-error-code");
    if (answer.error.code.empty() && named) answer.error.code = *named;
  }
  const Outcome outcome = judge(answer.response, answer.error.code);
  if (outcome == Outcome::done && call.request.verify) {
    return call.request.verify(answer.response);
  }
  return outcome;
}

bool RequestRunner::correct_and_repeat(Call& call) {
  if (call.answer.response.failure != http::Failure::none) return false;
  if (!call.digest_retried && is_digest_refusal(call.answer.error.code)) {
    call.digest_retried = true;  // Our bytes were hurt on the way: once is an accident.
    return true;
  }
  return correct_clock(call) || correct_region(call);
}

bool RequestRunner::correct_clock(Call& call) {
  const http::Response& response = call.answer.response;
  if (call.clock_corrected || response.status != 403) return false;
  const bool named = call.answer.error.code == "RequestTimeTooSkewed";
  if (!named && call.request.method != "HEAD") return false;
  const auto date = http::find_header(response.headers, "date");
  const auto theirs = date ? http::parse_http_date(std::string(*date)) : std::nullopt;
  if (!theirs) return false;
  const auto offset =
      std::chrono::duration_cast<std::chrono::seconds>(*theirs - SystemClock::now());
  const std::int64_t change = offset.count() - call.clock_offset_seconds;
  if (!named && std::abs(change) < suspicious_skew_seconds) return false;
  clock_offset_seconds_ = offset.count();
  call.clock_corrected = true;
  return true;
}

bool RequestRunner::correct_region(Call& call) {
  const http::Response& response = call.answer.response;
  const int status = response.status;
  if (call.region_corrected || (status != 301 && status != 307 && status != 400)) return false;
  const auto named = http::find_header(response.headers, "x-amz-bucket-region");
  const std::string wanted = named ? std::string(*named) : call.answer.error.region;
  if (wanted.empty() || wanted == call.region) return false;
  {
    std::lock_guard lock(mutex_);
    region_ = wanted;
  }
  call.region_corrected = true;
  return true;
}

void RequestRunner::retry_or_give_up(const CallPtr& call) {
  Answer& answer = call->answer;
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - call->started);
  const auto wished = retry_after(answer.response, answer.error.code, SystemClock::now());
  const auto delay = retry_policy_.delay(answer.attempts, elapsed, wished,
                                         cause_of(answer.response, answer.error.code));
  if (!delay || closing_) {
    answer.gave_up = true;
    finish(call);
    return;
  }
  if (options_.observer != nullptr) {
    const std::string reason = reason_of(answer);
    options_.observer->call_retried({.operation = answer.operation,
                                     .key = answer.key,
                                     .attempt = answer.attempts,
                                     .status = answer.response.status,
                                     .delay = *delay,
                                     .reason = reason});
  }
  if (call->request.before_retry) call->request.before_retry(answer.response, call->request);
  engine_.run_after(*delay, [this, call] {
    if (!closing_) {
      attempt(call);
    } else {
      call->answer.gave_up = true;
      finish(call);
    }
  });
}

void RequestRunner::finish(const CallPtr& call) {
  Answer& answer = call->answer;
  if (options_.observer != nullptr) {
    const bool absent = answer.response.status == 404 &&
                        (call->request.method == "HEAD" || call->request.method == "DELETE");
    const std::string reason = answer.ok || absent ? "" : reason_of(answer);
    options_.observer->call_finished(
        {.operation = answer.operation,
         .key = answer.key,
         .ok = answer.ok || absent,
         .status = answer.response.status,
         .attempts = answer.attempts,
         .duration = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() -
                                                                           call->started),
         .bytes_sent = call->request.body.size(),
         .bytes_received = call->bytes_received,
         .failure = reason});
  }
  // The request's buffers are free before the caller hears of it.
  Done done = std::move(call->done);
  call->request = {};
  done(std::move(answer));
}

std::string RequestRunner::presign_get(const Endpoint& endpoint, const std::string& key,
                                       std::chrono::seconds lifetime, http::Headers query) const {
  Address address = address_of(endpoint, options_.bucket, options_.path_style, key);
  Signable signable{.method = "GET",
                    .path = address.path,
                    .query = std::move(query),
                    .headers = {{"host", address.host}},
                    .payload_hash = {}};
  return (endpoint.tls ? "https://" : "http://") + address.host + uri_encode_path(address.path) +
         "?" +
         signer_.presign(std::move(signable), store_now(clock_offset_seconds_), region(), lifetime);
}

}  // namespace storage::s3
