#pragma once

#include <chrono>
#include <string>

#include "metadata/names/server_id.h"

namespace metadata {

// The advisory locks by which servers on one database know of each other. Their first key is 'SHBX'
// in ASCII, or the number behind it.

/// Held shared by each server's presence; by who trusts its memory, exclusively too.
#define SERVERS_LOCK "1397244504, 2"
/// Held shared by each session of a server, with the server's id as second key.
#define SESSIONS_LOCK_CLASS "1397244505"
#define IS_ADVISORY       \
  "locktype = 'advisory'" \
  " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
#define IS_SERVERS_LOCK IS_ADVISORY " AND classid = 1397244504 AND objid = 2"
#define IS_SESSIONS_LOCK IS_ADVISORY " AND classid = " SESSIONS_LOCK_CLASS

/// What a server's session runs before anything else: shows that it is there, and then waits until
/// no other server trusts its memory. From its end on nobody else begins to while the session
/// lives.
std::string enter_script(ServerId server);

/// The first statement of a transaction that changes the tree in another process than a server:
/// waits until no server trusts its memory, and none does until it ends. One that does not let go
/// in `patience` has its connection ended; it trusts its memory for `trust` at most still.
std::string distrust_names(std::chrono::milliseconds patience = std::chrono::milliseconds{10'000},
                           std::chrono::milliseconds trust = std::chrono::milliseconds{2'000});

}  // namespace metadata
