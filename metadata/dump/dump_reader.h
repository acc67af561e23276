#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/dump/tables.h"
#include "metadata/transaction.h"

namespace metadata {

/// How far a table's ids were given out.
struct DumpedSequence {
  std::string table;
  std::int64_t last = 0;
};

/// What a dump must know besides its rows.
struct DumpHead {
  std::string schema;    ///< the last migration
  std::string database;  ///< tells databases apart; a loaded dump is the same one as before
  std::vector<DumpedSequence> sequences;
};

/// Reads all tables as they were at one moment, and holds nobody up. One at a time for a database.
class DumpReader {
 public:
  /// Makes `transaction` a snapshot that changes nothing: it must be new.
  explicit DumpReader(Transaction& transaction);

  /// First. False while another transaction dumps this database.
  bool try_lock();
  /// Whether anybody has an account here.
  bool has_accounts();
  DumpHead head();

  using TakeRow = std::function<void(std::string_view json)>;
  /// Calls `take` for each row, a JSON object in one line without its end. What `take` throws ends
  /// the transaction.
  void read(const DumpedRows& rows, const TakeRow& take);

 private:
  Transaction& transaction_;
};

}  // namespace metadata
