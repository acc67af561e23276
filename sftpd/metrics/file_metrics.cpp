#include "sftpd/metrics/table.h"
#include "sftpd/vfs/open_file/open_files.h"
#include "sftpd/vfs/reading/block_cache.h"
#include "sftpd/vfs/writing/memory_pool.h"

namespace sftpd::metrics {
namespace {

using enum prometheus::MetricType;

/// One value for each job.
template <auto member>
void read_jobs(const Sources& from, Samples& to) {
  for (const auto& job : from.jobs) to.add((*job).*member, {{"job", job->name}});
}

void read_last_successes(const Sources& from, Samples& to) {
  for (const auto& job : from.jobs) to.add(job->succeeded_last.load(), {{"job", job->name}});
}

void read_cache_hits(const Sources& from, Samples& to) {
  const auto& counts = from.files.cache().counts();
  to.add(counts.memory_hits, {{"tier", "memory"}});
  to.add(counts.disk_hits, {{"tier", "disk"}});
}

void read_cache_fetched(const Sources& from, Samples& to) {
  const auto& counts = from.files.cache().counts();
  to.add(counts.disk_bytes, {{"source", "disk"}});
  to.add(counts.store_bytes, {{"source", "store"}});
}

void read_cache_used(const Sources& from, Samples& to) {
  to.add(from.files.cache().used(), {{"tier", "memory"}});
  to.add(from.files.disk_cache_used(), {{"tier", "disk"}});
}

void read_cache_limits(const Sources& from, Samples& to) {
  const auto& options = from.files.options();
  to.add(options.read_cache_max, {{"tier", "memory"}});
  to.add(options.read_cache_directory.empty() ? 0 : options.read_cache_disk_max,
         {{"tier", "disk"}});
}

/// Never measured: no value, which is not the same as an old one.
void read_measured(const Sources& from, Samples& to) {
  const auto measured = from.files.inline_backlog().state().measured;
  if (measured) to.add(measured->count());
}

constexpr Metric table[] = {
    {"shoebox_open_files", Gauge, "Files that are open, and those still being committed.",
     [](const Sources& from, Samples& to) { to.add(from.files.open_files().count()); }},
    {"shoebox_transfer_memory_bytes", Gauge, "Memory for transfers in use, without the read cache.",
     [](const Sources& from, Samples& to) { to.add(from.files.memory().used()); }},
    {"shoebox_transfer_memory_limit_bytes", Gauge, "How much of it there may be.",
     [](const Sources& from, Samples& to) { to.add(from.files.memory().capacity()); }},
    {"shoebox_transfer_memory_waiting", Gauge, "Files whose clients wait for memory.",
     [](const Sources& from, Samples& to) { to.add(from.files.memory().waiting()); }},

    {"shoebox_inline_backlog_bytes", Gauge, "Bytes in the database that wait for the store.",
     [](const Sources& from, Samples& to) { to.add(from.files.inline_backlog().state().bytes); }},
    {"shoebox_inline_backlog_limit_bytes", Gauge,
     "From there on new content goes to the store at once.",
     [](const Sources& from, Samples& to) {
       to.add(from.files.inline_backlog().state().bytes_max);
     }},
    {"shoebox_inline_backlog_oldest_seconds", Gauge,
     "How long the oldest of them had waited when they were last measured.",
     [](const Sources& from, Samples& to) {
       to.add(from.files.inline_backlog().state().oldest.count());
     }},
    {"shoebox_inline_backlog_measured_seconds", Gauge, "How long ago they were last measured.",
     read_measured},
    {"shoebox_destaged_objects_total", Counter, "Inline extents moved to the store.",
     [](const Sources& from, Samples& to) { to.add(from.files.counts().destaged_objects); }},
    {"shoebox_destaged_bytes_total", Counter, "Their bytes.",
     [](const Sources& from, Samples& to) { to.add(from.files.counts().destaged_bytes); }},
    {"shoebox_destage_failures_total", Counter, "Attempts to move one that failed.",
     [](const Sources& from, Samples& to) { to.add(from.files.counts().destage_failures); }},
    {"shoebox_flattened_files_total", Counter, "Files whose pieces were joined to one object.",
     [](const Sources& from, Samples& to) { to.add(from.files.counts().flattened_files); }},
    {"shoebox_flatten_failures_total", Counter, "Attempts to join a file's pieces that failed.",
     [](const Sources& from, Samples& to) { to.add(from.files.counts().flatten_failures); }},
    {"shoebox_damaged_objects_total", Counter,
     "How often a stored object was found not to be what was uploaded.",
     [](const Sources& from, Samples& to) { to.add(from.files.counts().damaged_objects); }},

    {"shoebox_read_cache_hits_total", Counter, "Look-ups that the read cache answered.",
     read_cache_hits},
    {"shoebox_read_cache_misses_total", Counter, "Look-ups for which the store was asked.",
     [](const Sources& from, Samples& to) { to.add(from.files.cache().counts().misses); }},
    {"shoebox_read_cache_fetched_bytes_total", Counter, "Bytes brought into memory.",
     read_cache_fetched},
    {"shoebox_read_cache_bytes", Gauge, "Bytes that the read cache holds.", read_cache_used},
    {"shoebox_read_cache_limit_bytes", Gauge, "How many it may hold.", read_cache_limits},

    {"shoebox_job_runs_total", Counter, "Runs of background jobs.",
     read_jobs<&jobs::JobCounts::runs>},
    {"shoebox_job_failed_runs_total", Counter, "Those that failed.",
     read_jobs<&jobs::JobCounts::failed_runs>},
    {"shoebox_job_done_total", Counter, "Things that background jobs dealt with.",
     read_jobs<&jobs::JobCounts::done>},
    {"shoebox_job_failed_total", Counter, "Things that a job could not deal with, and tries again.",
     read_jobs<&jobs::JobCounts::failed>},
    {"shoebox_job_last_success_timestamp_seconds", Gauge,
     "When the job last ran without failing, in seconds since 1970; 0: not yet.",
     read_last_successes},

    {"shoebox_metadata_exports_total", Counter,
     "Exports of all metadata that were written into the store.",
     [](const Sources& from, Samples& to) { to.add(from.exports.written); }},
    {"shoebox_metadata_export_failures_total", Counter, "Those that failed.",
     [](const Sources& from, Samples& to) { to.add(from.exports.failed); }},
    {"shoebox_metadata_export_timestamp_seconds", Gauge,
     "When this process last wrote one, in seconds since 1970; 0: not yet.",
     [](const Sources& from, Samples& to) { to.add(from.exports.last_at.load()); }},
    {"shoebox_metadata_export_rows", Gauge, "Rows in that one.",
     [](const Sources& from, Samples& to) { to.add(from.exports.last_rows.load()); }},
    {"shoebox_metadata_export_bytes", Gauge, "Its bytes in the store.",
     [](const Sources& from, Samples& to) { to.add(from.exports.last_bytes.load()); }},
    {"shoebox_metadata_export_seconds", Gauge, "How long it took.",
     [](const Sources& from, Samples& to) { to.add(from.exports.last_seconds.load()); }},
};

}  // namespace

std::span<const Metric> file_metrics() { return table; }

}  // namespace sftpd::metrics
