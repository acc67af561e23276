#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "storage/http/transfer.h"

namespace storage::http {

/// Many HTTP/1.1 requests at once on one thread of its own. Knows nothing of S3; does not retry,
/// follow redirects, or look at statuses.
///
/// submit() and run_after() may be called from any thread, and from the callbacks. Callbacks run on
/// the engine's thread: they must not wait for anything, must not throw, and must not destroy the
/// engine. One caveat is libcurl's: a request on a kept connection that dies before the first byte
/// of the answer is sent again by itself, whatever its method.
class MultiEngine {
 public:
  struct Options {
    /// Transfers at once; also the bound of the connections kept.
    std::size_t connections_max = 32;
    /// Requests accepted and not yet begun; past it submit() refuses. RequestQueue says who is
    /// next.
    std::size_t queue_max = 8192;
    std::chrono::milliseconds connect_timeout{5000};
    /// Where a request has no timeout: slower than this for so long is a stall.
    long stall_bytes_per_second = 1024;
    std::chrono::seconds stall_time{20};
    /// Idle connections older than this are not used again.
    std::chrono::seconds idle_max{15};
    std::string ca_file{};  ///< empty: the system's certificates
    bool proxy_from_environment = true;
    std::string user_agent = "shoebox";
  };

  /// Told of a transfer's end, exactly once.
  using Done = std::function<void(Response)>;

  explicit MultiEngine(Options options);
  /// Waits until every request and timer is done; timers fire at once.
  ~MultiEngine();
  MultiEngine(const MultiEngine&) = delete;
  MultiEngine& operator=(const MultiEngine&) = delete;

  /// Takes a request. False where the queue is full: `done` will not be called then. Never waits.
  /// From a callback the queue's bound does not count, so that what was begun can be finished.
  /// False after cancel_all(), too.
  [[nodiscard]] bool submit(Request request, Done done);

  /// Requests that wait for their turn, and those on a connection.
  struct Load {
    std::size_t waiting = 0;
    std::size_t active = 0;
  };
  Load load() const;

  /// Calls `action` on the engine's thread after `delay`.
  void run_after(std::chrono::milliseconds delay, std::function<void()> action);

  /// Ends all that waits or is under way, soon: with Failure::other. Timers fire at once, later
  /// ones too. For good.
  void cancel_all();

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace storage::http
