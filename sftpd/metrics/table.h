#pragma once

#include <prometheus/metric_family.h>

#include <span>
#include <vector>

#include "sftpd/metrics/samples.h"
#include "sftpd/metrics/sources.h"

namespace sftpd::metrics {

/// A metric: a row of one of the tables below. docs/metrics.md names each of them.
struct Metric {
  const char* name;
  prometheus::MetricType type;
  const char* help;  ///< one sentence
  void (*read)(const Sources& sources, Samples& samples);
};

// One file each.
std::span<const Metric> process_metrics();
std::span<const Metric> client_metrics();
std::span<const Metric> file_metrics();
std::span<const Metric> backend_metrics();

/// All of them.
std::vector<Metric> all_metrics();

/// All of them as they are now.
std::vector<prometheus::MetricFamily> collect(const Sources& sources);

}  // namespace sftpd::metrics
