#include "sftpd/metrics/table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace sftpd::metrics {
namespace {

using Type = prometheus::MetricType;

std::string text_of(const char* file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(MetricTable, NamesAreThoseOfPrometheusAndEachIsThereOnce) {
  std::set<std::string> names;
  for (const Metric& metric : all_metrics()) {
    const std::string name = metric.name;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(std::regex_match(name, std::regex("(shoebox|process)(_[a-z0-9]+)+"))) << name;
    EXPECT_EQ(name.ends_with("_total"), metric.type == Type::Counter) << name;
    EXPECT_TRUE(metric.type != Type::Histogram || name.ends_with("_seconds")) << name;
    EXPECT_TRUE(std::string(metric.help).ends_with(".")) << name;
  }
}

TEST(MetricTable, TheDocumentHasARowForEachMetric) {
  const std::string text = text_of(METRICS_MD);
  for (const Metric& metric : all_metrics()) {
    const char* type = metric.type == Type::Counter     ? "counter"
                       : metric.type == Type::Histogram ? "histogram"
                                                        : "gauge";
    const std::string row = "\n| `" + std::string(metric.name) + "` | " + type + " |";
    EXPECT_NE(text.find(row), std::string::npos) << row;
  }
}

TEST(MetricTable, TheExampleAlertsNameMetricsThatAreThere) {
  std::set<std::string> names;
  for (const Metric& metric : all_metrics()) names.insert(metric.name);
  const std::string text = text_of(RULES_YAML);
  const std::regex named("shoebox_[a-z_]+");
  int seen = 0;
  for (std::sregex_iterator at(text.begin(), text.end(), named), end; at != end; ++at, ++seen) {
    EXPECT_TRUE(names.contains(at->str())) << at->str();
  }
  EXPECT_GT(seen, 5);
}

}  // namespace
}  // namespace sftpd::metrics
