#include "sftpd/admin/commands.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <utility>
#include <vector>

namespace sftpd::admin {
namespace {

constexpr Command table[] = {
    {"user", "Manage the people who log in", declare_user},
    {"presign", "Print a URL that gives a file to whoever has it", declare_presign},
    {"check", "Try the configuration: database, store, host keys, limits", declare_check},
    {"fsck", "Compare database and store, both ways", declare_fsck},
    {"export-metadata", "Write all metadata into the store, for fsck --rebuild",
     declare_export_metadata},
    {"migrate-schema", "Bring the database's tables up to this version", declare_migrate_schema},
};

}  // namespace

std::span<const Command> commands() { return table; }

Action declare_all(CLI::App& app, std::span<const Command> commands) {
  std::vector<std::pair<CLI::App*, Action>> declared;
  for (const Command& command : commands) {
    CLI::App* subcommand = app.add_subcommand(command.name, command.help);
    declared.emplace_back(subcommand, command.declare(*subcommand));
  }
  app.require_subcommand(1);
  return [declared = std::move(declared)](Context& context) {
    for (const auto& [subcommand, action] : declared) {
      if (subcommand->parsed()) return action(context);
    }
    return 1;
  };
}

}  // namespace sftpd::admin
