#pragma once

#include <memory>
#include <string>

#include "metadata/database.h"

namespace tests {

/// A migrated database without rows, for one test.
///
/// The first one in a program makes a private PostgreSQL server in a temporary directory (a few
/// seconds), which ends with the program. Later ones reuse the databases of tests that ended, with
/// their tables emptied, so do not change the schema. Register such a test program with ctest as
/// one test, not each of its cases.
class ScratchDatabase {
 public:
  explicit ScratchDatabase(int connections_max = 16, metadata::Observer* observer = nullptr);
  ~ScratchDatabase();
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;

  metadata::Database& database() { return *database_; }

  /// libpq's connection string, for pools of one's own and for programs under test.
  const std::string& url() const { return url_; }

  /// Runs SQL behind the repositories' backs; the first field of its last result, or "".
  std::string execute(const std::string& sql);

  /// A new database without our schema: for tests of the migrations.
  struct Empty {};
  explicit ScratchDatabase(Empty);

 private:
  ScratchDatabase(std::string name, bool migrated, int connections_max,
                  metadata::Observer* observer);

  std::string name_;
  bool migrated_ = false;
  std::string url_;
  std::unique_ptr<metadata::Database> database_;
};

}  // namespace tests
