#pragma once

#include <string>
#include <vector>

#include "metadata/database.h"

namespace metadata {

/// What would keep migrate(), or the work after it, from succeeding on this server with our role
/// there: an old PostgreSQL, one that only reads, missing privileges. Each is a sentence that says
/// how to mend it; empty if all is well. Changes nothing. Throws as pending() does.
std::vector<std::string> obstacles(Database& database);

/// Whether this version number (server_version_num) is one that Shoebox works with.
bool is_supported_server(int version_number);

}  // namespace metadata
