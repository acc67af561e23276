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
  cluster.give_up = options.give_up;
  return cluster;
}

}  // namespace

Backends::Backends(BackendOptions options) : options_(std::move(options)) {}

Backends::~Backends() { close(); }

metadata::Database& Backends::database() {
  if (database_) return *database_;
  metadata::Database::Options options = options_.database;
  options.give_up = options_.give_up;
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
  using Local = storage::local::LocalObjectStore;
  using S3 = storage::s3::S3ObjectStore;
  if (const auto* given = std::get_if<Local::Options>(&options_.store)) {
    Local::Options options = *given;
    options.observer = options_.store_observer;
    store_ = std::make_unique<Local>(std::move(options));
  } else {
    S3::Options options = std::get<S3::Options>(options_.store);
    options.observer = options_.store_observer;
    auto s3 = std::make_unique<S3>(std::move(options));
    s3_store_ = s3.get();
    store_ = std::move(s3);
  }
  return *store_;
}

storage::s3::S3ObjectStore* Backends::s3_store() {
  store();
  return s3_store_;
}

void Backends::close() {
  database_.reset();
  s3_store_ = nullptr;
  store_.reset();
  if (postgres_) postgres_->stop();
}

}  // namespace sftpd::admin
