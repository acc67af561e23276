#include "sftpd/admin/backends.h"

#include <algorithm>
#include <utility>

#include "metadata/migrations/migrator.h"

namespace sftpd::admin {
namespace {

/// The private cluster serves this process's pool, and commands beside it.
metadata::EmbeddedPostgres::Options cluster_options(const BackendOptions& options) {
  metadata::EmbeddedPostgres::Options cluster;
  cluster.directory = options.embedded.string();
  cluster.connections_max =
      std::max(cluster.connections_max, options.database.connections_max + 20);
  return cluster;
}

}  // namespace

Backends::Backends(BackendOptions options) : options_(std::move(options)) {}

Backends::~Backends() { close(); }

metadata::Database& Backends::database() {
  if (database_) return *database_;
  metadata::Database::Options options = options_.database;
  if (!options_.embedded.empty()) {
    if (!postgres_) {
      postgres_ = std::make_unique<metadata::EmbeddedPostgres>(cluster_options(options_));
    }
    postgres_->start();
    options.url = postgres_->url();
  }
  database_ = std::make_unique<metadata::Database>(std::move(options), options_.database_observer);
  return *database_;
}

metadata::Database& Backends::migrated_database() {
  if (!migrated_) metadata::migrate(database(), options_.database_observer);
  migrated_ = true;
  return *database_;
}

storage::ObjectStore& Backends::store() {
  if (store_) return *store_;
  if (const auto* local = std::get_if<storage::local::LocalObjectStore::Options>(&options_.store)) {
    store_ = std::make_unique<storage::local::LocalObjectStore>(*local);
  } else {
    store_ = std::make_unique<storage::s3::S3ObjectStore>(
        std::get<storage::s3::S3ObjectStore::Options>(options_.store));
  }
  return *store_;
}

void Backends::close() {
  database_.reset();
  store_.reset();
  if (postgres_) postgres_->stop();
}

}  // namespace sftpd::admin
