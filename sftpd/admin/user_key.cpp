#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <vector>

#include "metadata/repositories/users.h"
#include "sftpd/admin/commands.h"
#include "sftpd/admin/users.h"
#include "sftpd/auth/public_key.h"

namespace sftpd::admin {
namespace {

using metadata::Transaction;
using metadata::Users;

metadata::PublicKey parse_key(const std::string& line, const std::string& file, int number) {
  try {
    const auth::AuthorizedKey key = auth::parse_authorized_key(line);
    metadata::PublicKey row;
    row.type = key.type;
    row.blob_base64 = key.blob_base64;
    row.fingerprint = key.fingerprint;
    row.comment = key.comment;
    return row;
  } catch (const std::invalid_argument& error) {
    throw Failure(fmt::format("{}:{}: {}", file, number, error.what()));
  }
}

/// Reads a public key file or an authorized_keys file; "-" is standard input.
std::vector<metadata::PublicKey> read_keys(const std::string& file) {
  std::ifstream opened;
  if (file != "-") {
    opened.open(file);
    if (!opened) throw Failure(fmt::format("cannot read {}", file));
  }
  std::istream& in = file == "-" ? std::cin : opened;
  constexpr int lines_max = 1000;
  std::vector<metadata::PublicKey> keys;
  std::string line;
  for (int number = 1; number <= lines_max && std::getline(in, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos || line.front() == '#') continue;
    keys.push_back(parse_key(line, file, number));
  }
  if (keys.empty()) throw Failure(fmt::format("there is no public key in {}", file));
  return keys;
}

void add_key(metadata::Database& database, const metadata::User& user,
             const metadata::PublicKey& key) {
  try {
    database.transact([&](Transaction& tx) { Users(tx).add_key(user.id, key); });
    fmt::print("key {} added to {}\n", key.fingerprint, user.name);
  } catch (const metadata::Error& error) {
    if (error.code() != metadata::ErrorCode::already_exists) throw;
    fmt::print("{} has key {} already\n", user.name, key.fingerprint);
  }
}

Action declare_add(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  auto file = std::make_shared<std::string>();
  app.add_option("NAME", *name, "Login name")->required();
  app.add_option("FILE", *file, "Public key, such as ~/.ssh/id_ed25519.pub; -: standard input")
      ->required();
  return [name, file](Context& context) {
    const auto keys = read_keys(*file);
    const metadata::User user = require_user(context.database(), *name);
    for (const auto& key : keys) add_key(context.database(), user, key);
    return 0;
  };
}

Action declare_list(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("NAME", *name, "Login name")->required();
  return [name](Context& context) {
    const metadata::User user = require_user(context.database(), *name);
    const auto keys =
        context.database().query([&](Transaction& tx) { return Users(tx).keys(user.id); });
    for (const auto& key : keys) {
      fmt::print("{} {} {}\n", key.fingerprint, key.type, key.comment);
    }
    return 0;
  };
}

Action declare_remove(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  auto fingerprint = std::make_shared<std::string>();
  app.add_option("NAME", *name, "Login name")->required();
  app.add_option("FINGERPRINT", *fingerprint, "SHA256:..., as 'user key list' prints it")
      ->required();
  return [name, fingerprint](Context& context) {
    const metadata::User user = require_user(context.database(), *name);
    const bool removed = context.database().transact(
        [&](Transaction& tx) { return Users(tx).remove_key(user.id, *fingerprint); });
    if (!removed) throw Failure(fmt::format("{} has no key {}", *name, *fingerprint));
    fmt::print("key {} removed from {}\n", *fingerprint, *name);
    return 0;
  };
}

constexpr Command table[] = {
    {"add", "Let a user log in with a public key", declare_add},
    {"list", "List a user's public keys", declare_list},
    {"remove", "Remove a public key", declare_remove},
};

}  // namespace

Action declare_user_key(CLI::App& app) { return declare_all(app, table); }

}  // namespace sftpd::admin
