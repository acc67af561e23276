#pragma once

#include <CLI/App.hpp>

#include "sftpd/admin/commands.h"

namespace sftpd {

/// `shoebox quickstart`: everything in one directory, for trying Shoebox and for one's own machine.
///
///     DATA/shoebox.yaml   settings, written at the first start, yours afterwards
///     DATA/postgres/      a private cluster, on a Unix socket only
///     DATA/objects/       file contents
///     DATA/host_keys/     the server's identity
///     DATA/lock           held while a quickstart runs here
///
/// A directory that is there must be empty, or made by a quickstart; its permissions stay as they
/// are. The first start makes a user and prints the password, which is stored nowhere in clear.
admin::Action declare_quickstart(CLI::App& app);

}  // namespace sftpd
