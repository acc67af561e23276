#include "sftpd/log/observers.h"

#include <chrono>

#include "sftpd/log/log.h"

namespace sftpd::log {
namespace {

double seconds(std::chrono::microseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void StoreLog::call_finished(const storage::FinishedCall& call) noexcept {
  const Level level = call.ok ? Level::debug : Level::warning;
  if (!enabled(level)) return;
  if (call.ok) {
    debug("store call", {{"operation", call.operation},
                         {"key", call.key},
                         {"status", call.status},
                         {"attempts", call.attempts},
                         {"seconds", seconds(call.duration)},
                         {"sent", call.bytes_sent},
                         {"received", call.bytes_received}});
    return;
  }
  warning("store call failed", {{"operation", call.operation},
                                {"key", call.key},
                                {"status", call.status},
                                {"attempts", call.attempts},
                                {"seconds", seconds(call.duration)},
                                {"reason", call.failure}});
}

void StoreLog::call_retried(const storage::RetriedCall& call) noexcept {
  warning("store call retried", {{"operation", call.operation},
                                 {"key", call.key},
                                 {"attempt", call.attempt},
                                 {"status", call.status},
                                 {"delay_ms", call.delay.count()},
                                 {"reason", call.reason}});
}

void DatabaseLog::database_connected() { debug("database connected"); }
void DatabaseLog::database_lost(const std::string& reason) {
  error("database lost", {{"reason", reason}});
}
void DatabaseLog::transaction_retried(const std::string& reason) {
  info("transaction retried", {{"reason", reason}});
}
void DatabaseLog::migration_applied(const std::string& name) {
  info("migration applied", {{"name", name}});
}

}  // namespace sftpd::log
