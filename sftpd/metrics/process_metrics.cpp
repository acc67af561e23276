#include "sftpd/metrics/process_numbers.h"
#include "sftpd/metrics/table.h"

namespace sftpd::metrics {
namespace {

using enum prometheus::MetricType;

// Those of the process are named as every Prometheus library names them, without our prefix.
constexpr Metric table[] = {
    {"shoebox_build_info", Gauge, "1, with the version of the program.",
     [](const Sources& from, Samples& to) {
       to.add(1, {{"version", from.version}});
     }},
    {"process_resident_memory_bytes", Gauge, "Memory of the process that is in RAM.",
     [](const Sources&, Samples& to) { to.add(resident_bytes()); }},
    {"process_open_fds", Gauge, "Descriptors that are open.",
     [](const Sources&, Samples& to) { to.add(open_descriptors()); }},
    {"process_max_fds", Gauge, "Descriptors that may be open.",
     [](const Sources&, Samples& to) { to.add(descriptors_max()); }},
    {"process_cpu_seconds_total", Counter, "Processor time that the process has used.",
     [](const Sources&, Samples& to) { to.add(cpu_seconds()); }},
    {"process_start_time_seconds", Gauge, "When the process started, in seconds since 1970.",
     [](const Sources&, Samples& to) { to.add(start_time_seconds()); }},
};

}  // namespace

std::span<const Metric> process_metrics() { return table; }

}  // namespace sftpd::metrics
