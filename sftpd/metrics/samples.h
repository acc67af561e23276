#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/metric_type.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sftpd/counters.h"

namespace sftpd::metrics {

/// A metric's values, one for each set of labels. Labels have few values, known when the program is
/// written: never a user, a path or a key.
class Samples {
 public:
  using Label = std::pair<std::string_view, std::string_view>;
  using Labels = std::initializer_list<Label>;

  explicit Samples(prometheus::MetricType type) : type_(type) {}

  /// Of a counter or gauge.
  template <class Number>
  requires std::is_arithmetic_v<Number>
  void add(Number value, Labels labels = {}) { add_number(static_cast<double>(value), labels); }
  void add(const Counter& counter, Labels labels = {}) { add(counter.value(), labels); }
  void add(const Gauge& gauge, Labels labels = {}) { add(gauge.value(), labels); }
  /// Of a histogram.
  void add(const Latencies& latencies, Labels labels);

  std::vector<prometheus::ClientMetric> take() { return std::move(metrics_); }

 private:
  prometheus::ClientMetric& add_labelled(Labels labels);
  void add_number(double value, Labels labels);

  const prometheus::MetricType type_;
  std::vector<prometheus::ClientMetric> metrics_;
};

}  // namespace sftpd::metrics
