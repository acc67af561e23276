#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <variant>

#include "metadata/migrations/migrator.h"
#include "metadata/migrations/obstacles.h"
#include "sftpd/admin/commands.h"
#include "storage/store_check.h"

namespace sftpd::admin {
namespace {

std::string check_database(Context& context) {
  try {
    metadata::Database& database = context.backends().database();
    const auto obstacles = metadata::obstacles(database);
    if (!obstacles.empty()) throw Failure(fmt::format("{}", fmt::join(obstacles, "; ")));
    const auto pending = metadata::pending(database);
    if (pending.empty()) return "answers, its tables are up to date";
    return fmt::format("answers; {} migrations will run at the next start", pending.size());
  } catch (const metadata::Error& error) {
    if (error.code() != metadata::ErrorCode::unavailable) throw;
    throw Failure(fmt::format(
        "{}: see that PostgreSQL runs there and lets this user in, and that 'database' names the "
        "right host, port, user and database",
        error.what()));
  }
}

/// A person waits: a store that is away is said to be away soon.
BackendOptions impatient(BackendOptions options) {
  constexpr std::chrono::milliseconds retry_max{3000};
  if (auto* s3 = std::get_if<storage::s3::S3ObjectStore::Options>(&options.store)) {
    s3->retry.total_max = std::min(s3->retry.total_max, retry_max);
  }
  return options;
}

/// The store's own check has several steps; the first that failed says why.
std::string check_store(Context& context) {
  Backends backends(impatient(context.options().backends));
  std::string passed;
  for (const storage::CheckStep& step :
       storage::check_store(backends.store(), context.options().key_prefix)) {
    if (!step.ok) throw Failure(fmt::format("{}: {}", step.name, step.message));
    passed += (passed.empty() ? "" : ", ") + step.name;
  }
  return passed;
}

}  // namespace

Action declare_check(CLI::App& /*app*/) {
  return [](Context& context) {
    int failed = 0;
    auto attempt = [&failed](const Check& check) {
      try {
        fmt::print("ok      {}: {}\n", check.name, check.run());
      } catch (const std::exception& error) {
        fmt::print("FAILED  {}: {}\n", check.name, error.what());
        ++failed;
      }
      std::fflush(stdout);  // The next one may take a while.
    };
    attempt({"settings", [&] {
               context.options();
               return fmt::format("{} is valid", context.config_file());
             }});
    if (failed > 0) return 1;
    for (const std::string& warning : context.options().warnings) {
      fmt::print("warning settings: {}\n", warning);
    }
    attempt({"database", [&] { return check_database(context); }});
    attempt({"store", [&] { return check_store(context); }});
    for (const Check& check : context.options().checks) attempt(check);
    return failed == 0 ? 0 : 1;
  };
}

}  // namespace sftpd::admin
