#include "sftpd/counters.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sftpd/metrics/samples.h"

namespace sftpd::metrics {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Counters, CountAndGoUpAndDown) {
  Counter counter;
  counter.add();
  counter.add(41);
  EXPECT_EQ(counter.value(), 42U);
  Gauge gauge;
  gauge.add(1);
  gauge.add(-3);
  EXPECT_EQ(gauge.value(), -2);
}

TEST(Latencies, ADurationIsInTheClassWhoseBoundItDoesNotExceed) {
  Latencies latencies;
  latencies.add(microseconds(500));
  latencies.add(microseconds(501));
  latencies.add(milliseconds(100));
  latencies.add(seconds(60));
  latencies.add(seconds(61));
  EXPECT_EQ(latencies.in_class(0), 1U);
  EXPECT_EQ(latencies.in_class(1), 1U);
  EXPECT_EQ(latencies.in_class(6), 1U) << "to 0.1 s";
  EXPECT_EQ(latencies.in_class(11), 1U) << "to 60 s";
  EXPECT_EQ(latencies.in_class(12), 1U) << "longer";
  EXPECT_DOUBLE_EQ(latencies.seconds(), 121.101001);
}

TEST(Samples, AHistogramsClassesAddUpAndEndWithInfinity) {
  Latencies latencies;
  for (const int ms : {1, 3, 3, 70'000}) latencies.add(milliseconds(ms));
  Samples samples(prometheus::MetricType::Histogram);
  samples.add(latencies, {{"operation", "read"}});
  const auto metrics = samples.take();
  ASSERT_EQ(metrics.size(), 1U);
  EXPECT_EQ(metrics[0].label[0].name, "operation");
  EXPECT_EQ(metrics[0].label[0].value, "read");
  const auto& histogram = metrics[0].histogram;
  ASSERT_EQ(histogram.bucket.size(), 13U);
  EXPECT_EQ(histogram.bucket[1].cumulative_count, 1U);
  EXPECT_EQ(histogram.bucket[2].cumulative_count, 3U);
  EXPECT_EQ(histogram.bucket[11].cumulative_count, 3U);
  EXPECT_EQ(histogram.bucket[12].cumulative_count, 4U);
  EXPECT_TRUE(std::isinf(histogram.bucket[12].upper_bound));
  EXPECT_EQ(histogram.sample_count, 4U);
  EXPECT_DOUBLE_EQ(histogram.sample_sum, 70.007);
}

}  // namespace
}  // namespace sftpd::metrics
