#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "storage/http/multi_engine.h"
#include "storage/observer.h"
#include "storage/s3/endpoint.h"
#include "storage/s3/request.h"
#include "storage/s3/retry_policy.h"
#include "storage/s3/sigv4_signer.h"

namespace storage::s3 {

/// Brings requests to one bucket: signs each attempt anew, retries what is transient, follows the
/// store's clock and the bucket's region. Safe to call from any thread.
class RequestRunner {
 public:
  struct Options {
    Endpoint endpoint;
    std::string region;
    std::string bucket;
    bool path_style = true;
    Credentials credentials;
    RetryPolicy::Options retry;
    http::MultiEngine::Options engine;
    Observer* observer = nullptr;  ///< may be null; outlives this
  };
  using Done = std::function<void(Answer)>;

  explicit RequestRunner(Options options);
  /// Waits for the attempts under way; nothing is retried any more.
  ~RequestRunner();

  /// `done` is called once, on the engine's thread (where its queue is full, at once on this one);
  /// it must neither wait nor throw.
  void send(Request request, Done done);

  /// For `grace` all goes on; then what is under way, waits for another attempt or comes later is
  /// given up. Does not wait.
  void stop(std::chrono::milliseconds grace);

  http::MultiEngine::Load load() const { return engine_.load(); }

  /// A URL for GET of `key` below `endpoint`, good for `lifetime`.
  std::string presign_get(const Endpoint& endpoint, const std::string& key,
                          std::chrono::seconds lifetime, http::Headers query) const;

 private:
  struct Call;
  using CallPtr = std::shared_ptr<Call>;

  static std::chrono::system_clock::time_point store_now(std::int64_t clock_offset_seconds);
  std::string region() const;
  Endpoint endpoint_in(const std::string& region) const;

  void attempt(const CallPtr& call);
  http::Request signed_request(const Call& call) const;
  void on_response(const CallPtr& call, http::Response response);
  Outcome judge_response(Call& call) const;
  bool correct_and_repeat(Call& call);
  bool correct_clock(Call& call);
  bool correct_region(Call& call);
  void retry_or_give_up(const CallPtr& call);
  void finish(const CallPtr& call);

  const Options options_;
  const SigV4Signer signer_;
  const RetryPolicy retry_policy_;
  std::atomic<std::int64_t> clock_offset_seconds_{0};  // the store's clock minus ours
  std::atomic<bool> closing_{false};
  mutable std::mutex mutex_;  // of region_
  std::string region_;
  http::MultiEngine engine_;  // last: its end waits for callbacks that use the rest
};

}  // namespace storage::s3
