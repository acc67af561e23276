#include "sftpd/auth/worker_pool.h"

#include <algorithm>
#include <exception>
#include <optional>

namespace sftpd::auth {
namespace {

LoginResult refused(Refusal refusal) { return {.login = std::nullopt, .refusal = refusal}; }

LoginResult result_of(const WorkerPool::Work& work) {
  try {
    return work();
  } catch (const std::exception& failure) {
    return {.login = std::nullopt, .refusal = Refusal::unavailable, .trouble = failure.what()};
  }
}

}  // namespace

WorkerPool::WorkerPool(int threads, std::size_t waiting_max) : waiting_max_(waiting_max) {
  for (int i = 0; i < std::max(1, threads); ++i) threads_.emplace_back([this] { run(); });
}

WorkerPool::~WorkerPool() {
  std::deque<Job> left;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    left.swap(waiting_);
    changed_.notify_all();
  }
  for (Job& job : left) job.promise.set_value(refused(Refusal::unavailable));
  for (std::thread& thread : threads_) thread.join();
}

storage::Future<LoginResult> WorkerPool::submit(Work work) {
  Job job{std::move(work), {}};
  auto future = job.promise.future();
  {
    std::lock_guard lock(mutex_);
    if (!stopping_ && waiting_.size() < waiting_max_) {
      waiting_.push_back(std::move(job));
      changed_.notify_one();
      return future;
    }
  }
  job.promise.set_value(refused(Refusal::overloaded));
  return future;
}

void WorkerPool::run() {
  for (;;) {
    std::optional<Job> job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      job.emplace(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    job->promise.set_value(result_of(job->work));
  }
}

}  // namespace sftpd::auth
