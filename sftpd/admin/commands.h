#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <span>

#include "sftpd/admin/context.h"

namespace sftpd::admin {

/// What runs when a command was chosen; returns the program's exit status.
using Action = std::function<int(Context& context)>;

/// A subcommand. `declare` tells `app` its arguments and returns what to run once they are parsed;
/// the action owns the variables they are parsed into.
struct Command {
  const char* name;
  const char* help;
  Action (*declare)(CLI::App& app);
};

/// Declares every row as a subcommand, one of which must be given; runs the one that was.
Action declare_all(CLI::App& app, std::span<const Command> commands);

/// The administrator's commands: everything but what serves clients. CLI11 stops in this room and
/// in the composition root.
std::span<const Command> commands();

// One file each.
Action declare_user(CLI::App& app);
Action declare_user_key(CLI::App& app);
Action declare_migrate_schema(CLI::App& app);
Action declare_check(CLI::App& app);
Action declare_fsck(CLI::App& app);
Action declare_export_metadata(CLI::App& app);
Action declare_presign(CLI::App& app);

}  // namespace sftpd::admin
