#include "sftpd/metrics/table.h"

namespace sftpd::metrics {

std::vector<Metric> all_metrics() {
  std::vector<Metric> all;
  for (const auto part : {process_metrics(), client_metrics(), file_metrics(), backend_metrics()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

std::vector<prometheus::MetricFamily> collect(const Sources& sources) {
  std::vector<prometheus::MetricFamily> families;
  for (const Metric& metric : all_metrics()) {
    Samples samples(metric.type);
    metric.read(sources, samples);
    families.push_back(
        {.name = metric.name, .help = metric.help, .type = metric.type, .metric = samples.take()});
  }
  return families;
}

}  // namespace sftpd::metrics
