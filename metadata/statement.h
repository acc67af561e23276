#pragma once

namespace metadata {

/// One SQL statement with its parameters $1...; prepared on a connection at its first use there.
struct Statement {
  const char* name;  ///< unique in the program
  const char* sql;
};

}  // namespace metadata
