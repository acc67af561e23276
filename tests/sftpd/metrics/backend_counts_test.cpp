#include "sftpd/metrics/backend_counts.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sftpd/metrics/connection_counts.h"

namespace sftpd::metrics {
namespace {

/// Hears what is passed on.
struct Next final : storage::Observer, metadata::Observer {
  void call_finished(const storage::FinishedCall&) noexcept override { ++finished; }
  void call_retried(const storage::RetriedCall&) noexcept override { ++retried; }
  void database_connected() override { heard += "connected "; }
  void database_lost(const std::string& reason) override { heard += "lost:" + reason + " "; }
  void transaction_retried(const std::string& reason) override { heard += "again:" + reason + " "; }
  void serving_alone(bool alone) override { heard += alone ? "alone " : "together "; }
  void migration_applied(const std::string& name) override { heard += "migrated:" + name; }
  int finished = 0;
  int retried = 0;
  std::string heard;
};

const StoreCounts::OfOperation& of(const StoreCounts& counts, std::string_view name) {
  const auto& names = StoreCounts::operation_names;
  return counts.of(static_cast<std::size_t>(std::ranges::find(names, name) - names.begin()));
}

TEST(StoreCounts, SortsCallsByOperationAndStatusAndPassesThemOn) {
  Next next;
  StoreCounts counts(next);
  counts.call_finished({.operation = "GetObject",
                        .ok = true,
                        .status = 206,
                        .duration = std::chrono::milliseconds(3),
                        .bytes_received = 100});
  counts.call_finished({.operation = "PutObject", .ok = false, .status = 503, .bytes_sent = 7});
  counts.call_finished({.operation = "NewThing", .ok = false, .status = 0});
  counts.call_finished({.operation = "HeadObject", .ok = true, .status = 999});
  counts.call_retried({.operation = "UploadPartCopy", .status = 500});
  counts.call_retried({.operation = "UploadPartCopy", .status = 0});
  EXPECT_EQ(of(counts, "GetObject").finished[1].value(), 1U);
  EXPECT_EQ(of(counts, "GetObject").failed.value(), 0U);
  EXPECT_EQ(of(counts, "GetObject").latencies.in_class(2), 1U);
  EXPECT_EQ(of(counts, "PutObject").finished[4].value(), 1U);
  EXPECT_EQ(of(counts, "PutObject").failed.value(), 1U);
  EXPECT_EQ(of(counts, "other").finished[0].value(), 1U);
  EXPECT_EQ(of(counts, "HeadObject").finished[0].value(), 1U) << "a status that is none";
  EXPECT_EQ(of(counts, "UploadPartCopy").retried[4].value(), 1U);
  EXPECT_EQ(of(counts, "UploadPartCopy").retried[0].value(), 1U);
  EXPECT_EQ(counts.sent_bytes.value(), 7U);
  EXPECT_EQ(counts.received_bytes.value(), 100U);
  EXPECT_EQ(next.finished, 4);
  EXPECT_EQ(next.retried, 2);
}

TEST(DatabaseCounts, CountsAndPassesOn) {
  Next next;
  DatabaseCounts counts(next);
  counts.database_connected();
  counts.database_lost("a");
  counts.transaction_retried("b");
  counts.serving_alone(true);
  counts.serving_alone(false);
  counts.migration_applied("c");
  EXPECT_EQ(next.heard, "connected lost:a again:b alone together migrated:c");
  EXPECT_EQ(counts.connected.value(), 1U);
  EXPECT_EQ(counts.lost.value(), 1U);
  EXPECT_EQ(counts.retried.value(), 1U);
}

TEST(ConnectionCounts, FollowsConnectionsAndLogins) {
  ConnectionCounts counts;
  counts.connection_opened();
  counts.connection_opened();
  counts.login_refused("password", auth::Refusal::wrong_password);
  counts.login_succeeded("password");
  counts.bytes_moved(5, 7);
  counts.bytes_moved(0, 1);
  EXPECT_EQ(counts.open.value(), 2);
  EXPECT_EQ(counts.logged_in.value(), 1);
  counts.logged_out();
  counts.connection_closed();
  EXPECT_EQ(counts.open.value(), 1);
  EXPECT_EQ(counts.logged_in.value(), 0);
  EXPECT_EQ(counts.opened.value(), 2U);
  EXPECT_EQ(counts.received_bytes.value(), 5U);
  EXPECT_EQ(counts.sent_bytes.value(), 8U);
  EXPECT_EQ(counts.logins[static_cast<std::size_t>(auth::Refusal::wrong_password)].value(), 1U);
  EXPECT_EQ(counts.logins[static_cast<std::size_t>(auth::Refusal::none)].value(), 1U);
}

}  // namespace
}  // namespace sftpd::metrics
