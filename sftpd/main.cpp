#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "sftpd/admin/commands.h"
#include "sftpd/config/settings.h"
#include "sftpd/log/log.h"
#include "sftpd/program_options.h"
#include "sftpd/quickstart.h"
#include "sftpd/service.h"

namespace {

using namespace sftpd;

admin::Action declare_serve(CLI::App& /*app*/) {
  return [](admin::Context& context) {
    const auto load_options = [&context] {
      ProgramOptions options = options_from(config::load_settings(context.config_file()));
      if (!context.log_level().empty()) options.log_level = context.log_level();
      return options;
    };
    const ProgramOptions options = load_options();
    start_log(context, options.log_level);
    return serve_until_stopped(options,
                               {.before_start = {}, .after_start = {}, .reload = load_options});
  };
}

constexpr admin::Command serving[] = {
    {"serve", "Serve clients, as the configuration says", declare_serve},
    {"quickstart", "Serve from one directory, with a database of its own", declare_quickstart},
};

admin::Options load(const std::string& config_file) {
  return admin_options(options_from(config::load_settings(config_file)));
}

int run(int argc, char** argv) {
  CLI::App app(
      "Shoebox: an SFTP server that keeps files in S3 and everything about them in "
      "PostgreSQL",
      "shoebox");
  app.set_version_flag("--version", "shoebox " SHOEBOX_VERSION);
  std::string config_file = "/etc/shoebox/shoebox.yaml";
  std::string log_level;
  app.fallthrough();
  app.add_option("--config", config_file, "Configuration file")
      ->envname("SHOEBOX_CONFIG")
      ->capture_default_str();
  app.add_option("--log-level", log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));

  std::vector<admin::Command> commands(std::begin(serving), std::end(serving));
  commands.insert(commands.end(), admin::commands().begin(), admin::commands().end());
  const admin::Action action = admin::declare_all(app, commands);
  CLI11_PARSE(app, argc, argv);

  // The administrator's commands speak for themselves; those that serve start the log again.
  log::start(
      log::Options::from_environment(log::parse_level(log_level.empty() ? "warning" : log_level)));
  admin::Context context(config_file, log_level, load);
  return action(context);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "shoebox: %s\n", failure.what());
    return 1;
  }
}
