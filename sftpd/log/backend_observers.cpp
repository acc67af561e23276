#include "sftpd/log/backend_observers.h"

#include "sftpd/log/log.h"

namespace sftpd::log {

void DatabaseLog::database_connected() { debug("database connected"); }

void DatabaseLog::database_lost(const std::string& reason) {
  warning("database lost", {{"reason", reason}});
}

void DatabaseLog::transaction_retried(const std::string& reason) {
  debug("transaction retried", {{"reason", reason}});
}

void DatabaseLog::serving_alone(bool alone) {
  info("names in memory",
       {{"trusted", alone ? "yes" : "no"},
        {"reason", alone ? "the only server" : "another server, or no database"}});
}

void DatabaseLog::migration_applied(const std::string& name) {
  info("migration applied", {{"name", name}});
}

void StoreLog::call_finished(const storage::FinishedCall& call) noexcept {
  const double seconds = std::chrono::duration<double>(call.duration).count();
  if (!call.ok) {
    warning("store failed", {{"operation", call.operation},
                             {"key", call.key},
                             {"status", call.status},
                             {"attempts", call.attempts},
                             {"seconds", seconds},
                             {"reason", call.failure}});
  } else if (enabled(Level::debug)) {
    debug("store call", {{"operation", call.operation},
                         {"key", call.key},
                         {"status", call.status},
                         {"attempts", call.attempts},
                         {"seconds", seconds},
                         {"sent", call.bytes_sent},
                         {"received", call.bytes_received}});
  }
}

void StoreLog::call_retried(const storage::RetriedCall& call) noexcept {
  info("store retried", {{"operation", call.operation},
                         {"key", call.key},
                         {"attempt", call.attempt},
                         {"status", call.status},
                         {"delay_ms", call.delay.count()},
                         {"reason", call.reason}});
}

}  // namespace sftpd::log
