#include "sftpd/metrics/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <optional>

#include "metadata/database.h"
#include "storage/http/multi_engine.h"
#include "tests/support/memory_object_store.h"

namespace sftpd::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

storage::http::Response fetch(std::uint16_t port, const std::string& path) {
  storage::http::MultiEngine engine({});
  std::promise<storage::http::Response> promise;
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + path;
  EXPECT_TRUE(engine.submit({.url = url}, [&](storage::http::Response response) {
    promise.set_value(std::move(response));
  }));
  return promise.get_future().get();
}

std::string error_of(const std::string& listen) {
  try {
    return check_listen(listen);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

/// Everything that is measured, with a database that is not there.
class MetricsEndpoint : public testing::Test {
 protected:
  Sources sources() {
    return {.version = "1.2.3",
            .connections = connections_,
            .requests = requests_,
            .files = files_,
            .bandwidth = bandwidth_,
            .jobs = {job_},
            .exports = exports_,
            .database = database_counts_,
            .store = store_counts_,
            .s3 = nullptr};
  }

  metadata::Observer silent_;
  struct SilentStore final : storage::Observer {
    void call_finished(const storage::FinishedCall&) noexcept override {}
    void call_retried(const storage::RetriedCall&) noexcept override {}
  } silent_store_;
  DatabaseCounts database_counts_{silent_};
  StoreCounts store_counts_{silent_store_};
  ConnectionCounts connections_;
  sftp::RequestCounts requests_;
  limits::Bandwidth bandwidth_{{}};
  std::shared_ptr<jobs::JobCounts> job_ = std::make_shared<jobs::JobCounts>("tidy-up");
  jobs::ExportCounts exports_;
  metadata::Database database_{{.url = "postgresql://127.0.0.1:1/none"}};
  test_support::MemoryObjectStore store_;
  vfs::FileSystem files_{database_, store_, {}};
};

TEST_F(MetricsEndpoint, AnswersWithTheNumbersOfTheMoment) {
  Endpoint endpoint("127.0.0.1:0", sources());
  const auto before = fetch(endpoint.port(), "/metrics");
  EXPECT_EQ(before.status, 200);
  EXPECT_THAT(before.body_text(), HasSubstr("\nshoebox_build_info{version=\"1.2.3\"} 1\n"));
  EXPECT_THAT(before.body_text(), HasSubstr("\nshoebox_connections 0\n"));
  EXPECT_THAT(before.body_text(), HasSubstr("\n# TYPE shoebox_connections gauge\n"));
  EXPECT_THAT(before.body_text(), HasSubstr("\nshoebox_database_connections_limit 16\n"));
  EXPECT_THAT(before.body_text(), Not(HasSubstr("\nshoebox_inline_backlog_measured_seconds ")))
      << "it was not measured";

  connections_.connection_opened();
  job_->done.add(5);
  files_.inline_backlog().measured(12, std::chrono::seconds{34});
  auto& write = requests_.of("write");
  write.by_outcome[static_cast<std::size_t>(sftp::Outcome::failed)].add(2);
  write.latencies.add(std::chrono::milliseconds(4));
  const auto answer = fetch(endpoint.port(), "/metrics");
  const std::string after(answer.body_text());
  EXPECT_THAT(after, HasSubstr("\nshoebox_connections 1\n"));
  EXPECT_THAT(after, HasSubstr("\nshoebox_job_done_total{job=\"tidy-up\"} 5\n"));
  EXPECT_THAT(after, HasSubstr("\nshoebox_inline_backlog_bytes 12\n"));
  EXPECT_THAT(after, HasSubstr("\nshoebox_inline_backlog_oldest_seconds 34\n"));
  EXPECT_THAT(after, HasSubstr("\nshoebox_inline_backlog_measured_seconds "));
  EXPECT_THAT(after, HasSubstr("{operation=\"write\",outcome=\"failed\"} 2\n"));
  EXPECT_THAT(after, HasSubstr("_bucket{operation=\"write\",le=\"0.002\"} 0\n"));
  EXPECT_THAT(after, HasSubstr("_bucket{operation=\"write\",le=\"0.005\"} 1\n"));
  EXPECT_THAT(after, HasSubstr("_bucket{operation=\"write\",le=\"+Inf\"} 1\n"));
}

TEST_F(MetricsEndpoint, AnswersNothingElse) {
  Endpoint endpoint("127.0.0.1:0", sources());
  EXPECT_EQ(fetch(endpoint.port(), "/").status, 404);
  EXPECT_EQ(fetch(endpoint.port(), "/etc/passwd").status, 404);
}

TEST_F(MetricsEndpoint, AnAddressThatIsTakenIsAnErrorWithItsReason) {
  Endpoint endpoint("127.0.0.1:0", sources());
  const std::string taken = "127.0.0.1:" + std::to_string(endpoint.port());
  try {
    Endpoint second(taken, sources());
    ADD_FAILURE() << "two at one port";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()),
              "metrics: cannot listen on " + taken + ": Address already in use");
  }
  EXPECT_THAT(check_listen(taken), HasSubstr("a Shoebox that runs serves them"));
}

TEST(MetricsListen, AFreePortIsFreeAlsoAfterTheCheck) {
  EXPECT_EQ(check_listen("127.0.0.1:0"), "127.0.0.1:0 is free");
  EXPECT_EQ(check_listen("127.0.0.1:0"), "127.0.0.1:0 is free");
}

TEST(MetricsListen, WhatIsNoNumericAddressIsAnError) {
  EXPECT_THAT(error_of("9090"), HasSubstr("metrics.listen: a port is missing"));
  EXPECT_THAT(error_of("localhost:9090"), HasSubstr("no numeric address"));
  EXPECT_THAT(error_of("::1:9090"), HasSubstr("no numeric address"));
  EXPECT_THAT(error_of("[]:9090"), HasSubstr("no numeric address"));
  EXPECT_THAT(error_of(":9090"), HasSubstr("no numeric address"));
  EXPECT_THAT(error_of("127.0.0.1:"), HasSubstr("no port"));
  EXPECT_THAT(error_of("127.0.0.1:9090s"), HasSubstr("no port"));
  EXPECT_THAT(error_of("127.0.0.1:65536"), HasSubstr("no port"));
  EXPECT_THAT(error_of("127.0.0.1:123456"), HasSubstr("no port"));
  EXPECT_THAT(error_of("192.0.2.1:9090"), HasSubstr("Cannot assign requested address"));
}

}  // namespace
}  // namespace sftpd::metrics
