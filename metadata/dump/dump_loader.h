#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "metadata/dump/dump_reader.h"
#include "metadata/transaction.h"

namespace metadata {

/// Whether this program knows a dump's schema: its own, or an older one.
bool is_known_schema(const std::string& schema);

/// Whether any table that a dump fills has a row. Tables that are not there have none.
bool has_rows(Transaction& transaction);

/// Fills an empty database with what DumpReader read, all of it in one transaction: begin(), load()
/// for everything, finish(). Until that transaction is committed, nobody sees anything.
class DumpLoader {
 public:
  explicit DumpLoader(Transaction& transaction) : transaction_(transaction) {}

  /// Makes the tables as `schema` wants them. Throws invalid if they are newer already, or not
  /// empty; conflict if another process migrates them.
  void begin(const std::string& schema);
  /// `rows`: a JSON array of objects, of any table in any order. Throws invalid if they do not fit.
  void load(const std::string& table, std::string_view rows);
  /// Checks what rows say of each other and brings the tables up to this program's schema. Ids go
  /// on far behind what was given out, lest what the dump does not know has the same ones.
  void finish(const DumpHead& head);

 private:
  /// A rule that holds between whole tables only.
  struct ForeignKey {
    std::string table, name, definition;  ///< quoted
  };

  void drop_foreign_keys();
  void restore_foreign_keys();

  Transaction& transaction_;
  std::vector<ForeignKey> foreign_keys_;
};

/// Puts every sequence behind the ids that are in its table.
void pass_ids(Transaction& transaction);

}  // namespace metadata
