#include "metadata/dump/tables.h"

namespace metadata {
namespace {

constexpr int small_rows = 2000;
// Inline bytes may be megabytes, and twice that as text.
constexpr int large_rows = 16;

constexpr DumpedRows table[] = {
    {"accounts", "true", small_rows},
    {"account_usage", "true", small_rows},
    {"users", "true", small_rows},
    {"user_keys", "true", small_rows},
    {"nodes", "true", small_rows},
    {"node_successors", "true", small_rows},
    {"objects", "true", small_rows},
    {"versions", "true", small_rows},
    {"extents", "inline IS NULL", small_rows},
    {"extents", "inline IS NOT NULL", large_rows},
    {"uploads", "true", small_rows},
    {"audit_events", "true", small_rows},
};

}  // namespace

std::span<const DumpedRows> dumped_rows() { return table; }

std::vector<std::string> dumped_tables() {
  std::vector<std::string> names;
  for (const DumpedRows& rows : table) {
    if (names.empty() || names.back() != rows.table) names.emplace_back(rows.table);
  }
  return names;
}

}  // namespace metadata
