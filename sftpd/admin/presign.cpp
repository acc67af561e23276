#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <chrono>
#include <map>
#include <memory>

#include "metadata/repositories/accounts.h"
#include "sftpd/admin/attachment.h"
#include "sftpd/admin/commands.h"
#include "sftpd/admin/terminal.h"
#include "sftpd/admin/users.h"
#include "sftpd/vfs/error.h"
#include "sftpd/vfs/path_walk.h"

namespace sftpd::admin {
namespace {

using std::chrono::seconds;
using WholeObject = vfs::FileSystem::WholeObject;

struct Arguments {
  std::string user;
  std::string path;
  std::int64_t expires_seconds = 3600;
};

constexpr seconds expires_max = std::chrono::days{7};  ///< S3's own bound

/// What vfs throws, as a sentence about the file.
std::string words_for(const vfs::Error& error, const Arguments& of) {
  using enum vfs::ErrorCode;
  switch (error.code()) {
    case not_found:
    case not_a_directory:
      return fmt::format("{} has no file {}", of.user, of.path);
    case is_a_directory:
      return fmt::format("{} is a directory: only files have URLs", of.path);
    case being_written:
      return fmt::format("{} cannot be given away now, {}: try again later", of.path, error.what());
    case bad_argument:
      return fmt::format("{} is empty, or its upload has not ended: there is nothing to give away",
                         of.path);
    case unsupported:
      return fmt::format("{} cannot be made one object: {}", of.path, error.what());
    default:
      return fmt::format("{}: {}", of.path, error.what());
  }
}

vfs::Destination find(metadata::Database& database, const Arguments& arguments) {
  const metadata::User user = require_user(database, arguments.user);
  const auto root = database.query(
      [&](metadata::Transaction& tx) { return metadata::Accounts(tx).root(user.account); });
  auto place = vfs::PathWalk(database, user.account, root)
                   .find(arguments.path, vfs::PathWalk::LastLink::follow);
  if (!place.exists()) throw vfs::Error(vfs::ErrorCode::not_found, "no such file");
  if (place.node().incomplete) {
    throw Failure(fmt::format(
        "{} is incomplete: the connection broke during its upload, which has to be resumed first",
        arguments.path));
  }
  return place;
}

/// Makes one object of the file's pieces if it has to.
WholeObject whole_object(Context& context, metadata::AccountId account, metadata::NodeId node) {
  vfs::FileSystem::Options options = context.options().files;
  options.read_cache_directory.clear();  // The server's.
  vfs::FileSystem files(context.database(), context.store(), options);
  return files.whole_object(account, node);
}

/// Asking the store also tells its clock and the bucket's region, which signatures name.
void expect_stored(Context& context, const WholeObject& object, const std::string& path) {
  const auto found = context.store().head({object.key}).get();
  if (found && found->size_bytes == object.size) return;
  throw Failure(fmt::format(
      "the store does not have what the database says of {}: see `shoebox fsck`", path));
}

void print_explanation(const WholeObject& object, seconds lifetime) {
  const auto end = std::chrono::system_clock::now() + lifetime;
  fmt::print(stderr, "until {:%Y-%m-%d %H:%M:%S} UTC, {}, {}\n",
             fmt::gmtime(std::chrono::system_clock::to_time_t(end)), readable_size(object.size),
             object.mime.empty() ? "of unknown type" : object.mime);
}

int presign(Context& context, const Arguments& arguments) {
  auto* store = context.backends().s3_store();
  if (store == nullptr) {
    throw Failure("only a store that speaks S3 has URLs, and the settings say 'backend: local'");
  }
  const seconds lifetime{arguments.expires_seconds};
  try {
    const vfs::Destination place = find(context.database(), arguments);
    const auto account = require_user(context.database(), arguments.user).account;
    const WholeObject object = whole_object(context, account, place.node().id);
    expect_stored(context, object, arguments.path);
    const auto url = store->presign_get(
        {object.key}, lifetime,
        {.content_disposition = attachment_named(place.node().name), .content_type = object.mime});
    print_explanation(object, lifetime);
    fmt::print("{}\n", url);
  } catch (const Failure&) {
    throw;
  } catch (...) {
    throw Failure(words_for(vfs::as_vfs_error(std::current_exception()), arguments));
  }
  return 0;
}

}  // namespace

Action declare_presign(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  const std::map<std::string, std::int64_t> units{
      {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 24 * 3600}};
  app.add_option("USER", arguments->user, "Whose file")->required();
  app.add_option("PATH", arguments->path, "The file, as this user sees it")->required();
  app.add_option("--expires", arguments->expires_seconds,
                 "How long the URL works, 1s to 7d (default 1h)")
      ->transform(CLI::AsNumberWithUnit(units))
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{expires_max.count()}));
  return [arguments](Context& context) { return presign(context, *arguments); };
}

}  // namespace sftpd::admin
