#pragma once

#include <span>
#include <string>
#include <vector>

namespace metadata {

/// Rows of one table that a dump reads in one go.
struct DumpedRows {
  const char* table;
  const char* condition;  ///< SQL over the table's columns
  int page_max;           ///< rows in memory at once
};

/// All that a database without it would lack: every table but schema_migrations, of which a dump
/// keeps the last name. A table may be there more than once, with other rows.
std::span<const DumpedRows> dumped_rows();

/// The names of their tables, each once.
std::vector<std::string> dumped_tables();

}  // namespace metadata
