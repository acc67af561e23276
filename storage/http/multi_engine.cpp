#include "storage/http/multi_engine.h"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <csignal>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "storage/http/easy_transfer.h"
#include "storage/http/request_queue.h"

namespace storage::http {
namespace {

using SteadyClock = std::chrono::steady_clock;

// How long the loop sleeps when nothing at all is due; submit() wakes it.
constexpr std::chrono::milliseconds idle_wait{60'000};

using Waiting = RequestQueue::Waiting;

struct MultiCleanup {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

void initialise_curl_once() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (result != CURLE_OK) throw std::runtime_error("libcurl does not start");
}

// Signals are for the process's main thread, and a write to a dead peer must not raise SIGPIPE.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

}  // namespace

class MultiEngine::Loop {
 public:
  explicit Loop(Options options) : options_(std::move(options)), queue_(options_.connections_max) {
    initialise_curl_once();
    multi_.reset(curl_multi_init());
    if (!multi_) throw std::bad_alloc();
    const auto connections = static_cast<long>(options_.connections_max);
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, connections);
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
    curl_multi_setopt(multi_.get(), CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
    thread_ = std::thread([this] { run(); });
  }

  ~Loop() {
    assert(std::this_thread::get_id() != thread_.get_id());
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    curl_multi_wakeup(multi_.get());
    thread_.join();
  }

  bool submit(Request request, Done done) {
    const bool own_thread = on_own_thread();
    {
      std::lock_guard lock(mutex_);
      if (cancelled_ || (!own_thread && queue_.size() >= options_.queue_max)) return false;
      queue_.push({std::move(request), std::move(done)});
    }
    if (!own_thread) curl_multi_wakeup(multi_.get());
    return true;
  }

  Load load() const {
    std::lock_guard lock(mutex_);
    return {.waiting = queue_.size(), .active = queue_.active()};
  }

  void run_after(std::chrono::milliseconds delay, std::function<void()> action) {
    {
      std::lock_guard lock(mutex_);
      timers_.emplace(SteadyClock::now() + delay, std::move(action));
    }
    if (!on_own_thread()) curl_multi_wakeup(multi_.get());
  }

  void cancel_all() {
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
    }
    if (!on_own_thread()) curl_multi_wakeup(multi_.get());
  }

 private:
  bool on_own_thread() const { return std::this_thread::get_id() == thread_id_.load(); }

  void run() {
    thread_id_.store(std::this_thread::get_id());
    block_signals();
    while (!finished()) {
      run_due_timers();
      if (is_cancelled()) end_requests();
      start_waiting();
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      collect_finished();
      curl_multi_poll(multi_.get(), nullptr, 0, poll_timeout_ms(), nullptr);
    }
  }

  bool finished() {
    std::lock_guard lock(mutex_);
    return stopping_ && queue_.empty() && timers_.empty() && active_.empty();
  }

  void run_due_timers() {
    std::vector<std::function<void()>> due;
    {
      std::lock_guard lock(mutex_);
      const bool all = stopping_ || cancelled_;
      const auto end = all ? timers_.end() : timers_.upper_bound(SteadyClock::now());
      for (auto timer = timers_.begin(); timer != end; ++timer) {
        due.push_back(std::move(timer->second));
      }
      timers_.erase(timers_.begin(), end);
    }
    for (const auto& action : due) action();
  }

  bool is_cancelled() const {
    std::lock_guard lock(mutex_);
    return cancelled_;
  }

  /// Those that have a connection first: then the queue lets all others out.
  void end_requests() {
    const auto end = [this](const Done& done, bool bulky) {
      end_in_queue(bulky);
      done({.failure = Failure::other, .failure_text = "cancelled"});
    };
    for (auto& [easy, transfer] : std::exchange(active_, {})) {
      curl_multi_remove_handle(multi_.get(), easy);
      const Done done = transfer->take_done();
      const bool bulky = transfer->is_bulky();
      transfer.reset();
      end(done, bulky);
    }
    while (auto next = next_waiting()) end(next->done, next->request.bulky);
  }

  std::optional<Waiting> next_waiting() {
    std::lock_guard lock(mutex_);
    if (!queue_.ready()) return {};
    return queue_.pop();
  }

  void start_waiting() {
    while (auto next = next_waiting()) start(std::move(*next));
  }

  void start(Waiting next) {
    Done done = next.done;
    const bool bulky = next.request.bulky;
    Response failed;
    try {
      auto transfer = std::make_unique<EasyTransfer>(take_handle(), std::move(next.request),
                                                     std::move(next.done), options_);
      CURL* easy = transfer->easy();
      const CURLMcode added = curl_multi_add_handle(multi_.get(), easy);
      if (added == CURLM_OK) {
        active_.emplace(easy, std::move(transfer));
        return;
      }
      failed.failure_text = curl_multi_strerror(added);
    } catch (const std::exception& error) {
      failed.failure_text = error.what();
    }
    failed.failure = Failure::other;
    end_in_queue(bulky);
    done(std::move(failed));
  }

  void end_in_queue(bool bulky) {
    std::lock_guard lock(mutex_);
    queue_.ended(bulky);
  }

  EasyHandle take_handle() {
    if (spare_handles_.empty()) return EasyHandle(curl_easy_init());
    EasyHandle handle = std::move(spare_handles_.back());
    spare_handles_.pop_back();
    return handle;
  }

  // A handle keeps its TLS sessions, but no pointer into the transfer that is gone.
  void keep_handle(EasyHandle handle) {
    curl_easy_reset(handle.get());
    spare_handles_.push_back(std::move(handle));
  }

  void collect_finished() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* easy = message->easy_handle;
      const CURLcode result = message->data.result;
      auto node = active_.extract(easy);
      assert(!node.empty());
      std::unique_ptr<EasyTransfer> transfer = std::move(node.mapped());
      transfer->finish(result);
      curl_multi_remove_handle(multi_.get(), easy);
      Response response = transfer->take_response();
      Done done = transfer->take_done();
      end_in_queue(transfer->is_bulky());
      keep_handle(transfer->take_easy());
      transfer.reset();
      done(std::move(response));
    }
  }

  int poll_timeout_ms() {
    std::lock_guard lock(mutex_);
    if (stopping_ && queue_.empty() && timers_.empty() && active_.empty()) return 0;
    if (queue_.ready() || (cancelled_ && !active_.empty())) return 0;
    if (timers_.empty()) return static_cast<int>(idle_wait.count());
    if (stopping_ || cancelled_) return 0;
    const auto wait =
        std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - SteadyClock::now());
    return static_cast<int>(std::clamp(wait, std::chrono::milliseconds{0}, idle_wait).count());
  }

  const Options options_;
  std::unique_ptr<CURLM, MultiCleanup> multi_;
  std::vector<EasyHandle> spare_handles_;
  std::unordered_map<CURL*, std::unique_ptr<EasyTransfer>> active_;

  mutable std::mutex mutex_;  // of what follows
  RequestQueue queue_;
  std::multimap<SteadyClock::time_point, std::function<void()>> timers_;
  bool stopping_ = false;
  bool cancelled_ = false;

  std::atomic<std::thread::id> thread_id_{};
  std::thread thread_;
};

MultiEngine::MultiEngine(Options options) : loop_(std::make_unique<Loop>(std::move(options))) {}
MultiEngine::~MultiEngine() = default;

bool MultiEngine::submit(Request request, Done done) {
  return loop_->submit(std::move(request), std::move(done));
}

MultiEngine::Load MultiEngine::load() const { return loop_->load(); }

void MultiEngine::run_after(std::chrono::milliseconds delay, std::function<void()> action) {
  loop_->run_after(delay, std::move(action));
}

void MultiEngine::cancel_all() { loop_->cancel_all(); }

}  // namespace storage::http
