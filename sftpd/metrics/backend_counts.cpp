#include "sftpd/metrics/backend_counts.h"

#include <algorithm>

namespace sftpd::metrics {
namespace {

/// The number of its name in status_names.
std::size_t class_of(int status) {
  return status >= 200 && status < 600 ? static_cast<std::size_t>(status / 100 - 1) : 0;
}

}  // namespace

StoreCounts::OfOperation& StoreCounts::of(std::string_view operation) {
  const auto found = std::ranges::find(operation_names, operation);
  if (found == operation_names.end()) return operations_.back();
  return operations_[static_cast<std::size_t>(found - operation_names.begin())];
}

void StoreCounts::call_finished(const storage::FinishedCall& call) noexcept {
  OfOperation& operation = of(call.operation);
  operation.finished[class_of(call.status)].add();
  operation.latencies.add(call.duration);
  if (!call.ok) operation.failed.add();
  sent_bytes.add(call.bytes_sent);
  received_bytes.add(call.bytes_received);
  next_.call_finished(call);
}

void StoreCounts::call_retried(const storage::RetriedCall& call) noexcept {
  of(call.operation).retried[class_of(call.status)].add();
  next_.call_retried(call);
}

void DatabaseCounts::database_connected() {
  connected.add();
  next_.database_connected();
}

void DatabaseCounts::database_lost(const std::string& reason) {
  lost.add();
  next_.database_lost(reason);
}

void DatabaseCounts::transaction_retried(const std::string& reason) {
  retried.add();
  next_.transaction_retried(reason);
}

void DatabaseCounts::serving_alone(bool alone) { next_.serving_alone(alone); }

void DatabaseCounts::migration_applied(const std::string& name) { next_.migration_applied(name); }

}  // namespace sftpd::metrics
