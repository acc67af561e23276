#include "sftpd/metrics/samples.h"

#include <limits>

namespace sftpd::metrics {

prometheus::ClientMetric& Samples::add_labelled(Labels labels) {
  prometheus::ClientMetric& metric = metrics_.emplace_back();
  for (const auto& [name, value] : labels) {
    metric.label.push_back({std::string(name), std::string(value)});
  }
  return metric;
}

void Samples::add_number(double value, Labels labels) {
  prometheus::ClientMetric& metric = add_labelled(labels);
  if (type_ == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
}

// The count is that of the classes, so that the two agree whatever is counted meanwhile.
void Samples::add(const Latencies& latencies, Labels labels) {
  auto& histogram = add_labelled(labels).histogram;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= Latencies::bounds.size(); ++i) {
    count += latencies.in_class(i);
    const bool last = i == Latencies::bounds.size();
    const double bound = last ? std::numeric_limits<double>::infinity() : Latencies::bounds[i];
    histogram.bucket.push_back({count, bound});
  }
  histogram.sample_count = count;
  histogram.sample_sum = latencies.seconds();
}

}  // namespace sftpd::metrics
