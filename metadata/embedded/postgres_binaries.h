#pragma once

#include <string>

namespace metadata {

/// PostgreSQL's server programs on this machine.
struct PostgresBinaries {
  std::string folder;  ///< holds initdb and postgres
  int major = 0;       ///< 15
};

/// Looks in `wanted` (if not empty, only there), the PATH, Debian's, Red Hat's and the source
/// build's places, and where pg_config points. `major`: the version that an existing cluster needs;
/// 0: the newest. Throws invalid with what to install if there is none.
PostgresBinaries find_postgres(const std::string& wanted, int major);

}  // namespace metadata
