#pragma once

#include <string>

namespace metadata {

/// Told what happens inside metadata/. Called from any thread; must not throw or block.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void database_connected() {}
  virtual void database_lost(const std::string& /*reason*/) {}
  virtual void transaction_retried(const std::string& /*reason*/) {}
  /// Whether this is the only server on its database: then it keeps names in memory.
  virtual void serving_alone(bool /*alone*/) {}
  virtual void migration_applied(const std::string& /*name*/) {}
};

}  // namespace metadata
