#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <variant>

#include "metadata/database.h"
#include "metadata/embedded/postgres_process.h"
#include "storage/local/local_object_store.h"
#include "storage/object_store.h"
#include "storage/s3/s3_object_store.h"

namespace sftpd::admin {

/// How to reach the rows and the bytes.
struct BackendOptions {
  metadata::Database::Options database;  ///< `url` is not used with `embedded`
  std::filesystem::path embedded;        ///< a private cluster's directory; empty: none
  std::variant<storage::s3::S3ObjectStore::Options, storage::local::LocalObjectStore::Options>
      store;
  metadata::Observer* database_observer = nullptr;  ///< may be null; outlive the backends
  storage::Observer* store_observer = nullptr;
  std::stop_token give_up = {};  ///< once requested, nothing waits for a database any more
};

/// The database and the object store, each opened when first asked for. Used by one thread; what it
/// hands out is for any. A private cluster ends with the process, however that ends.
class Backends {
 public:
  explicit Backends(BackendOptions options);
  /// close()
  ~Backends();
  Backends(const Backends&) = delete;
  Backends& operator=(const Backends&) = delete;

  /// As it is, whatever its tables look like. Starts the private cluster, or joins the one that
  /// another Shoebox process runs.
  metadata::Database& database();
  /// After migrating its tables.
  metadata::Database& migrated_database();
  storage::ObjectStore& store();
  /// The store, if it is S3; else null.
  storage::s3::S3ObjectStore* s3_store();

  /// Closes the database and the store; stops the private cluster if this process started it.
  void close();

 private:
  BackendOptions options_;
  std::unique_ptr<metadata::EmbeddedPostgres> postgres_;
  std::unique_ptr<metadata::Database> database_;
  std::unique_ptr<storage::ObjectStore> store_;
  storage::s3::S3ObjectStore* s3_store_ = nullptr;  ///< what `store_` is, if it is that
  bool migrated_ = false;
};

}  // namespace sftpd::admin
