#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace storage {

/// A call of a store that has its answer.
struct FinishedCall {
  std::string_view operation{};  ///< the store's name of it: PutObject, UploadPart, ...
  std::string_view key{};        ///< empty where the call is about the whole store
  bool ok = false;               ///< answered; absence (HEAD, DELETE of a missing key) is an answer
  int status = 0;                ///< the last HTTP status; 0 where none came or there is no HTTP
  int attempts = 1;
  std::chrono::microseconds duration{0};  ///< of all attempts and the waits between them
  std::uint64_t bytes_sent = 0;           ///< of bodies, once
  std::uint64_t bytes_received = 0;
  std::string_view failure{};  ///< empty where ok
};

/// An attempt that failed and will be followed by another one.
struct RetriedCall {
  std::string_view operation{};
  std::string_view key{};
  int attempt = 1;
  int status = 0;
  std::chrono::milliseconds delay{0};  ///< until the next attempt
  std::string_view reason{};
};

/// What storage/ tells logs and metrics. Called from any of the store's threads, at the same time;
/// must return soon and must not call the store. Outlives the stores it is given to.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void call_finished(const FinishedCall& call) noexcept = 0;
  virtual void call_retried(const RetriedCall& call) noexcept = 0;
};

}  // namespace storage
