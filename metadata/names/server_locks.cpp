#include "metadata/names/server_locks.h"

#include <limits>
#include <random>

namespace metadata {

ServerId ServerId::random() {
  std::random_device device;
  std::uniform_int_distribution<std::int32_t> range(1, std::numeric_limits<std::int32_t>::max());
  return {range(device)};
}

std::string enter_script(ServerId server) {
  const std::string id = std::to_string(server.value);
  // The order is what makes it safe: who begins to trust its memory takes the other lock first and
  // looks for sessions like this one then, so that one of the two sees the other.
  return "SET LOCAL lock_timeout = '10s';"
         "SELECT pg_advisory_lock_shared(" SESSIONS_LOCK_CLASS ", " +
         id +
         ");"
         "SELECT pg_advisory_xact_lock_shared(" SERVERS_LOCK
         ") WHERE EXISTS ("
         "  SELECT FROM pg_locks WHERE " IS_SERVERS_LOCK
         " AND granted AND mode = 'ExclusiveLock'"
         "  AND pid NOT IN ("
         "    SELECT pid FROM pg_locks WHERE " IS_SESSIONS_LOCK " AND objid = " +
         id + "))";
}

std::string distrust_names(std::chrono::milliseconds patience, std::chrono::milliseconds trust) {
  return "DO $$ BEGIN"
         "  SET LOCAL lock_timeout = " +
         std::to_string(patience.count()) +
         ";"
         "  PERFORM pg_advisory_xact_lock_shared(" SERVERS_LOCK
         ");"
         "  SET LOCAL lock_timeout TO DEFAULT;"
         " EXCEPTION WHEN lock_not_available THEN"
         "  PERFORM pg_terminate_backend(pid) FROM pg_locks"
         "    WHERE " IS_SERVERS_LOCK
         " AND granted AND mode = 'ExclusiveLock';"
         "  PERFORM pg_sleep(" +
         std::to_string(trust.count()) +
         " / 1000.0);"
         "  PERFORM pg_advisory_xact_lock_shared(" SERVERS_LOCK
         ");"
         " END $$";
}

}  // namespace metadata
