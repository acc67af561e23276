#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <memory>
#include <optional>

#include "metadata/repositories/accounts.h"
#include "metadata/repositories/users.h"
#include "sftpd/admin/commands.h"
#include "sftpd/admin/terminal.h"
#include "sftpd/admin/users.h"

namespace sftpd::admin {
namespace {

using metadata::Transaction;
using metadata::Users;

/// Where a new password comes from.
struct PasswordSource {
  bool from_stdin = false;

  void declare(CLI::App& app) {
    app.add_flag("--password-stdin", from_stdin, "Read the password from standard input");
  }
};

struct Password {
  std::string text;
  bool generated = false;
};

Password obtain_password(const PasswordSource& source) {
  if (source.from_stdin) return {read_password_from_stdin(), false};
  if (is_interactive()) {
    const std::string given = ask_password("Password (empty: make one up): ");
    if (!given.empty()) return {given, false};
  }
  return {generate_password(), true};
}

void print_generated(const Password& password) {
  if (password.generated) fmt::print("password: {}\n", password.text);
}

/// "2M", "0" or "none" (no limit), "default" (as the settings say).
struct RateArgument {
  std::string text;

  void declare(CLI::App& app, const std::string& name, const std::string& what) {
    app.add_option(name, text,
                   what +
                       " per second, like 2M; 0 or none: no limit; default: as the "
                       "settings say")
        ->transform([](const std::string& given) {
          std::string bytes = given == "none" ? "0" : given;
          // Answers what is wrong; nothing if all is well.
          const std::string wrong = given == "default" ? "" : CLI::AsSizeValue(false)(bytes);
          if (!wrong.empty()) throw CLI::ValidationError(wrong);
          return bytes;
        });
  }

  bool given() const { return !text.empty(); }

  std::optional<std::uint64_t> rate() const {
    if (text == "default") return std::nullopt;
    const std::uint64_t rate = std::stoull(text);
    if (rate > 0 && rate < metadata::TransferRates::least) {
      throw Failure("a limit is at least 1k a second");
    }
    return rate;
  }
};

std::string readable_rate(const std::optional<std::uint64_t>& rate) {
  if (!rate) return "default";
  return *rate == 0 ? "no limit" : readable_size(*rate) + "/s";
}

Action declare_add(CLI::App& app) {
  struct Arguments {
    std::string name;
    PasswordSource password;
    std::uint64_t quota_bytes = 0;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("NAME", arguments->name, "Login name")->required();
  arguments->password.declare(app);
  app.add_option("--quota", arguments->quota_bytes, "Most bytes of files, like 10G; 0: no limit")
      ->transform(CLI::AsSizeValue(false));
  return [arguments](Context& context) {
    quota_of(arguments->quota_bytes);  // Before anybody is asked for a password.
    metadata::Database& database = context.database();
    const Password password = obtain_password(arguments->password);
    create_user(database, arguments->name, password.text, arguments->quota_bytes);
    fmt::print("user {} added\n", arguments->name);
    print_generated(password);
    return 0;
  };
}

Action declare_passwd(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  auto source = std::make_shared<PasswordSource>();
  app.add_option("NAME", *name, "Login name")->required();
  source->declare(app);
  return [name, source](Context& context) {
    metadata::Database& database = context.database();
    const metadata::User user = require_user(database, *name);
    const Password password = obtain_password(*source);
    set_password(database, user.id, password.text);
    fmt::print("password of {} changed\n", *name);
    print_generated(password);
    return 0;
  };
}

/// Nothing if the user was removed a moment ago.
std::optional<metadata::Usage> usage_of(metadata::Database& database, const metadata::User& user) {
  try {
    return database.query(
        [&](Transaction& tx) { return metadata::Accounts(tx).usage(user.account); });
  } catch (const metadata::Error& error) {
    if (error.code() != metadata::ErrorCode::not_found) throw;
    return std::nullopt;
  }
}

Action declare_list(CLI::App& /*app*/) {
  return [](Context& context) {
    constexpr int page = 500;
    std::string after;
    context.database();  // No heading above an error.
    fmt::print("{:<24} {:<9} {:>12} {:>12} {:>10}\n", "NAME", "STATE", "USED", "QUOTA", "FILES");
    while (true) {
      const auto users =
          context.database().query([&](Transaction& tx) { return Users(tx).list(after, page); });
      for (const metadata::User& user : users) {
        const auto usage = usage_of(context.database(), user);
        if (!usage) continue;
        fmt::print("{:<24} {:<9} {:>12} {:>12} {:>10}\n", user.name,
                   user.disabled ? "disabled" : "active", readable_size(usage->used_bytes),
                   usage->quota_bytes ? readable_size(*usage->quota_bytes) : "-", usage->files);
      }
      if (static_cast<int>(users.size()) < page) return 0;
      after = users.back().name;
    }
  };
}

Action declare_show(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("NAME", *name, "Login name")->required();
  return [name](Context& context) {
    metadata::Database& database = context.database();
    const metadata::User user = require_user(database, *name);
    const auto usage =
        database.query([&](Transaction& tx) { return metadata::Accounts(tx).usage(user.account); });
    const auto keys = database.query([&](Transaction& tx) { return Users(tx).keys(user.id); });
    const auto created = std::chrono::floor<std::chrono::seconds>(user.created_at);
    fmt::print("name:     {}\n", user.name);
    fmt::print("state:    {}\n", user.disabled ? "disabled" : "active");
    fmt::print("account:  {}\n", user.account.value);
    fmt::print("uid, gid: {}, {}\n", user.uid, user.gid);
    fmt::print("created:  {:%Y-%m-%d %H:%M:%S} UTC\n",
               fmt::gmtime(std::chrono::system_clock::to_time_t(created)));
    fmt::print("used:     {} in {} entries\n", readable_size(usage.used_bytes), usage.files);
    fmt::print("quota:    {}\n", usage.quota_bytes ? readable_size(*usage.quota_bytes) : "none");
    fmt::print("upload:   {}\n", readable_rate(user.rates.upload_max));
    fmt::print("download: {}\n", readable_rate(user.rates.download_max));
    fmt::print("password: {}\n", user.password_hash.empty() ? "none" : "set");
    for (const auto& key : keys) {
      fmt::print("key:      {} {} {}\n", key.type, key.fingerprint, key.comment);
    }
    return 0;
  };
}

Action declare_state(CLI::App& app, bool disabled) {
  auto name = std::make_shared<std::string>();
  app.add_option("NAME", *name, "Login name")->required();
  return [name, disabled](Context& context) {
    metadata::Database& database = context.database();
    const metadata::User user = require_user(database, *name);
    database.transact([&](Transaction& tx) { Users(tx).set_disabled(user.id, disabled); });
    fmt::print("user {} {}\n", *name, disabled ? "disabled: no new logins" : "enabled");
    return 0;
  };
}

Action declare_disable(CLI::App& app) { return declare_state(app, true); }
Action declare_enable(CLI::App& app) { return declare_state(app, false); }

Action declare_quota(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  auto quota_bytes = std::make_shared<std::uint64_t>(0);
  app.add_option("NAME", *name, "Login name")->required();
  app.add_option("QUOTA", *quota_bytes, "Most bytes of files, like 10G; 0: no limit")
      ->required()
      ->transform(CLI::AsSizeValue(false));
  return [name, quota_bytes](Context& context) {
    const auto quota = quota_of(*quota_bytes);
    metadata::Database& database = context.database();
    const metadata::User user = require_user(database, *name);
    database.transact(
        [&](Transaction& tx) { metadata::Accounts(tx).set_quota(user.account, quota); });
    fmt::print("quota of {}: {}\n", *name,
               *quota_bytes == 0 ? "none" : readable_size(*quota_bytes));
    return 0;
  };
}

Action declare_limit(CLI::App& app) {
  struct Arguments {
    std::string name;
    RateArgument upload;
    RateArgument download;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("NAME", arguments->name, "Login name")->required();
  arguments->upload.declare(app, "--upload", "Most bytes from this user");
  arguments->download.declare(app, "--download", "Most bytes to this user");
  return [arguments](Context& context) {
    metadata::Database& database = context.database();
    const metadata::User user = require_user(database, arguments->name);
    metadata::TransferRates rates = user.rates;
    if (arguments->upload.given()) rates.upload_max = arguments->upload.rate();
    if (arguments->download.given()) rates.download_max = arguments->download.rate();
    if (rates != user.rates) {
      database.transact([&](Transaction& tx) { Users(tx).set_rates(user.id, rates); });
    }
    fmt::print("limits of {}: upload {}, download {}\n", user.name, readable_rate(rates.upload_max),
               readable_rate(rates.download_max));
    return 0;
  };
}

Action declare_remove(CLI::App& app) {
  struct Arguments {
    std::string name;
    bool yes = false;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("NAME", arguments->name, "Login name")->required();
  app.add_flag("--yes", arguments->yes, "Do not ask; needed where nobody sits at a terminal");
  return [arguments](Context& context) {
    metadata::Database& database = context.database();
    const metadata::User user = require_user(database, arguments->name);
    const auto usage =
        database.query([&](Transaction& tx) { return metadata::Accounts(tx).usage(user.account); });
    const std::string what = fmt::format("{} with {} in {} entries", user.name,
                                         readable_size(usage.used_bytes), usage.files);
    if (!arguments->yes) {
      if (!is_interactive()) {
        throw Failure(fmt::format(
            "nothing was removed: nobody is there to be asked. --yes removes {} unasked", what));
      }
      if (!confirm(fmt::format("Remove {}?", what))) throw Failure("nothing was removed");
    }
    database.transact([&](Transaction& tx) { Users(tx).remove(user.id); });
    fmt::print("user {} removed\n", user.name);
    return 0;
  };
}

constexpr Command table[] = {
    {"add", "Add a user", declare_add},
    {"list", "List all users", declare_list},
    {"show", "Show one user", declare_show},
    {"passwd", "Change a password", declare_passwd},
    {"quota", "Change a quota", declare_quota},
    {"limit", "Change how fast bytes may move", declare_limit},
    {"disable", "Refuse logins", declare_disable},
    {"enable", "Accept logins again", declare_enable},
    {"remove", "Remove a user and all files", declare_remove},
    {"key", "Manage public keys", declare_user_key},
};

}  // namespace

Action declare_user(CLI::App& app) { return declare_all(app, table); }

}  // namespace sftpd::admin
