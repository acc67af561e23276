#include "tests/support/metadata/scratch_database.h"

#include <atomic>

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

 private:
  ScratchServer() : postgres_({.directory = directory_.path(),
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
};

std::string next_name() {
  static std::atomic<int> count{0};
  return "scratch_" + std::to_string(++count);
}

}  // namespace

ScratchDatabase::ScratchDatabase(const std::string& of_template, int connections_max,
                                 metadata::Observer* observer)
    : name_(next_name()) {
  auto& server = ScratchServer::instance();
  server.execute("CREATE DATABASE " + name_ + " TEMPLATE " + of_template);
  url_ = with_database(server.url(), name_);
  metadata::Database::Options options;
  options.url = url_;
  options.connections_max = connections_max;
  database_ = std::make_unique<metadata::Database>(options, observer);
}

ScratchDatabase::ScratchDatabase(int connections_max, metadata::Observer* observer)
    : ScratchDatabase(std::string(template_name), connections_max, observer) {}

ScratchDatabase::ScratchDatabase(Empty) : ScratchDatabase(std::string("template1"), 16, nullptr) {}

std::string ScratchDatabase::execute(const std::string& sql) {
  return database_->query([&](metadata::Transaction& tx) {
    const auto rows = tx.inner().script(sql);
    return rows.empty() ? std::string() : std::string(rows[0][0].c_str());
  });
}

ScratchDatabase::~ScratchDatabase() {
  database_.reset();
  ScratchServer::instance().execute("DROP DATABASE " + name_ + " WITH (FORCE)");
}

}  // namespace tests
