#pragma once

#include <string>

#include "metadata/observer.h"
#include "storage/observer.h"

namespace sftpd::log {

/// What the database and its pool tell, as lines of the log.
class DatabaseLog final : public metadata::Observer {
 public:
  void database_connected() override;
  void database_lost(const std::string& reason) override;
  void transaction_retried(const std::string& reason) override;
  void serving_alone(bool alone) override;
  void migration_applied(const std::string& name) override;
};

/// What the object store tells: failures and retries; every call at level debug.
class StoreLog final : public storage::Observer {
 public:
  void call_finished(const storage::FinishedCall& call) noexcept override;
  void call_retried(const storage::RetriedCall& call) noexcept override;
};

}  // namespace sftpd::log
