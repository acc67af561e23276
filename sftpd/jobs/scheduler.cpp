#include "sftpd/jobs/scheduler.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "sftpd/log/log.h"

namespace sftpd::jobs {

namespace {

void count(JobCounts& counts, const Progress& progress) {
  counts.done.add(static_cast<std::uint64_t>(progress.done));
  counts.failed.add(static_cast<std::uint64_t>(progress.failed));
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  counts.succeeded_last = std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace

Scheduler::Scheduler(std::vector<Job> jobs, std::uint64_t seed) : random_(seed) {
  const auto now = Clock::now();
  for (Job& job : jobs) {
    std::uniform_int_distribution<std::int64_t> delay(0, job.interval.count());
    const auto due = now + std::chrono::milliseconds(delay(random_));
    auto counts = std::make_shared<JobCounts>(job.name);
    entries_.push_back({std::move(job), due, std::move(counts)});
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
}

Scheduler::~Scheduler() = default;

std::vector<std::shared_ptr<const JobCounts>> Scheduler::counts() const {
  std::vector<std::shared_ptr<const JobCounts>> all;
  for (const Entry& entry : entries_) all.push_back(entry.counts);
  return all;
}

void Scheduler::loop(const std::stop_token& stop) {
  if (entries_.empty()) return;
  while (!stop.stop_requested()) {
    const auto next =
        std::min_element(entries_.begin(), entries_.end(),
                         [](const Entry& a, const Entry& b) { return a.due < b.due; });
    {
      std::unique_lock lock(mutex_);
      wake_.wait_until(lock, stop, next->due, [] { return false; });
    }
    if (!stop.stop_requested()) run_one(*next, stop);
  }
}

void Scheduler::run_one(Entry& entry, const std::stop_token& stop) {
  const Job& job = entry.job;
  JobCounts& counts = *entry.counts;
  counts.runs.add();
  try {
    const Progress progress = job.run(stop);
    count(counts, progress);
    if (progress.done > 0) log::info("job done", {{"job", job.name}, {"count", progress.done}});
    entry.due = Clock::now() + (progress.more ? Clock::duration::zero() : jittered(job.interval));
  } catch (const std::exception& failure) {
    counts.failed_runs.add();
    log::warning("job failed", {{"job", job.name}, {"reason", failure.what()}});
    entry.due = Clock::now() + jittered(job.retry);
  }
}

Scheduler::Clock::duration Scheduler::jittered(std::chrono::milliseconds interval) {
  std::uniform_int_distribution<std::int64_t> share(-interval.count() / 10, interval.count() / 10);
  return interval + std::chrono::milliseconds(share(random_));
}

}  // namespace sftpd::jobs
