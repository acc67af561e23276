#include <fmt/format.h>

#include "metadata/migrations/migrator.h"
#include "sftpd/admin/commands.h"

namespace sftpd::admin {

Action declare_migrate_schema(CLI::App& /*app*/) {
  return [](Context& context) {
    const auto applied = metadata::migrate(context.backends().database());
    for (const std::string& name : applied) fmt::print("applied {}\n", name);
    if (applied.empty()) fmt::print("the database is up to date\n");
    return 0;
  };
}

}  // namespace sftpd::admin
