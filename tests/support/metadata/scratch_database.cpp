#include "tests/support/metadata/scratch_database.h"

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "metadata/embedded/postgres_process.h"
#include "metadata/migrations/migrator.h"
#include "metadata/transaction_pqxx.h"
#include "tests/support/metadata/temporary_directory.h"

namespace tests {
namespace {

constexpr char template_name[] = "scratch_template";

/// `url` with another database: of several settings libpq takes the last.
std::string with_database(const std::string& url, const std::string& name) {
  return url + " dbname=" + name;
}

/// The server of this program.
class ScratchServer {
 public:
  static ScratchServer& instance() {
    static ScratchServer server;
    return server;
  }

  std::string url() const { return postgres_.url(); }

  void execute(const std::string& sql) {
    admin_->query([&](metadata::Transaction& tx) {
      tx.inner().script(sql);
      return true;
    });
  }

  /// A database that an earlier test left behind, or a new copy of the template.
  std::string take() {
    const std::lock_guard lock(mutex_);
    if (left_behind_.empty()) return make(template_name);
    const std::string name = left_behind_.back();
    left_behind_.pop_back();
    return name;
  }

  std::string make(const std::string& from) {
    const std::string name = "scratch_" + std::to_string(++count_);
    execute("CREATE DATABASE " + name + " TEMPLATE " + from);
    return name;
  }

  void give_back(const std::string& name) {
    const std::lock_guard lock(mutex_);
    left_behind_.push_back(name);
  }

 private:
  ScratchServer()
      : postgres_({.directory = directory_.path(),
                   .connections_max = 200,
                   .durable = false,
                   .binaries = "",
                   .start_timeout = std::chrono::seconds{120}}) {
    postgres_.start();
    metadata::Database::Options options;
    options.url = postgres_.url();
    options.connections_max = 2;
    admin_ = std::make_unique<metadata::Database>(options);
    execute(std::string("CREATE DATABASE ") + template_name);
    metadata::migrate(with_database(url(), template_name));
  }

  TemporaryDirectory directory_;
  metadata::EmbeddedPostgres postgres_;
  std::unique_ptr<metadata::Database> admin_;
  std::mutex mutex_;
  std::atomic<int> count_{0};
  std::vector<std::string> left_behind_;
};

/// Ends what other connections a test left, and empties the tables: a tenth of a copy's time.
constexpr char empty_all_tables[] = R"(
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid();
  DO $$ BEGIN
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ')
                    || ' RESTART IDENTITY CASCADE'
             FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations');
  END $$)";

}  // namespace

ScratchDatabase::ScratchDatabase(std::string name, bool migrated, int connections_max,
                                 metadata::Observer* observer)
    : name_(std::move(name)), migrated_(migrated) {
  url_ = with_database(ScratchServer::instance().url(), name_);
  metadata::Database::Options options;
  options.url = url_;
  options.connections_max = connections_max;
  database_ = std::make_unique<metadata::Database>(options, observer);
  if (migrated_) execute(empty_all_tables);
}

ScratchDatabase::ScratchDatabase(int connections_max, metadata::Observer* observer)
    : ScratchDatabase(ScratchServer::instance().take(), true, connections_max, observer) {}

ScratchDatabase::ScratchDatabase(Empty)
    : ScratchDatabase(ScratchServer::instance().make("template1"), false, 16, nullptr) {}

ScratchDatabase::~ScratchDatabase() {
  database_.reset();
  if (migrated_) ScratchServer::instance().give_back(name_);
}

std::string ScratchDatabase::execute(const std::string& sql) {
  return database_->query([&](metadata::Transaction& tx) {
    const auto rows = tx.inner().script(sql);
    return rows.empty() ? std::string() : std::string(rows[0][0].c_str());
  });
}

}  // namespace tests
