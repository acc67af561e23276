#include "tests/model/run.h"

#include <algorithm>
#include <stdexcept>

#include "metadata/names/node_cache.h"
#include "metadata/repositories/accounts.h"
#include "metadata/repositories/objects.h"
#include "metadata/repositories/users.h"
#include "metadata/repositories/versions.h"

namespace model {

using namespace sftpd::vfs;

namespace {

/// Objects deleted at once.
constexpr int batch_max = 1000;

}  // namespace

Run::Run(storage::ObjectStore& store, storage::ObjectStore& clean_store, Options options)
    : options_(options),
      random_(options.seed),
      store_(store),
      clean_store_(clean_store),
      witness_database_({.url = scratch_.url(),
                         .connections_max = 2,
                         .acquire_timeout = std::chrono::seconds(30),
                         .outage_max = std::chrono::seconds(20)}) {
  letters_.resize(2 * size_max());
  for (auto& letter : letters_) letter = static_cast<char>('a' + (random_() >> 33) % 26);
  const auto user = scratch_.database().transact([](metadata::Transaction& tx) {
    const auto account = metadata::Accounts(tx).create(std::nullopt);
    return metadata::Users(tx).create(account, "anna", "");
  });
  identity_ = {user.account, user.id, user.name, 1000, 1000};
  FileSystem::Options plain;
  plain.commit_threads = 1;
  witness_ = std::make_unique<FileSystem>(witness_database_, clean_store_, plain);
  witness_tree_ = std::make_unique<Vfs>(*witness_, identity_);
  start();
}

Run::~Run() {
  handles_.clear();
  vfs_ = nullptr;
  files_ = nullptr;
}

void Run::start() {
  FileSystem::Options options;
  options.part_size = options_.scale * (std::size_t{4096} << below(3));
  options.inline_max = std::array<std::size_t, 3>{0, 100, 3000}[below(3)];
  options.extents_max = one_in(3) ? 8 : 1000;
  options.read_cache_max = options_.scale * (std::size_t{20'000} << below(4));
  options.commit_threads = 1 + static_cast<int>(below(4));
  options.parts_in_flight_max = 1 + static_cast<int>(below(4));
  options.interrupted_uploads = options_.interrupted;
  auto& names = scratch_.database().node_cache();
  names.distrust();
  if (!one_in(3)) names.trust_until(metadata::NodeCache::Clock::time_point::max());
  files_ = std::make_unique<FileSystem>(scratch_.database(), store_, options);
  vfs_ = std::make_unique<Vfs>(*files_, identity_);
}

void Run::step() {
  struct Weighted {
    int weight;
    void (Run::*operation)();
  };
  static constexpr Weighted operations[] = {
      {10, &Run::open},          {40, &Run::write},      {20, &Run::read},   {4, &Run::resize},
      {1, &Run::resize_by_path}, {4, &Run::sync},        {7, &Run::close},   {2, &Run::drop},
      {2, &Run::rename},         {2, &Run::rename_over}, {2, &Run::remove},  {2, &Run::copy},
      {4, &Run::look},           {1, &Run::destage},     {1, &Run::flatten},
  };
  ++count_;
  if (one_in(400)) return restart();
  int total = 0;
  for (const auto& each : operations) total += each.weight;
  auto pick = static_cast<int>(below(static_cast<std::uint64_t>(total)));
  for (const auto& each : operations) {
    if ((pick -= each.weight) < 0) return (this->*each.operation)();
  }
}

void Run::destage() {
  note("destage");
  try {
    files_->destage(std::chrono::seconds{0}, 5);
  } catch (const storage::Error& error) {
    expect(options_.may_fail, std::string("destage failed: ") + error.what());
  }
}

/// This process or another one joins what lies in pieces; then what nobody names any more goes,
/// also while it is being read.
void Run::flatten() {
  const bool here = one_in(2);
  note(std::string("flatten ") + (here ? "here" : "elsewhere"));
  try {
    (here ? files_ : witness_)->flatten(std::chrono::seconds{0}, batch_max, {});
  } catch (const std::exception& error) {
    expect(here && options_.may_fail, std::string("flattening failed: ") + error.what());
  }
  const bool copies = std::any_of(handles_.begin(), handles_.end(),
                                  [](const Handle& each) { return each.file->has_copies; });
  if (!copies && one_in(2)) delete_dead_objects();
}

void Run::restart() {
  note("restart");
  while (!handles_.empty()) one_in(3) ? drop() : close();
  check_all();
  vfs_ = nullptr;
  files_ = nullptr;
  collect_garbage();
  start();
  check_all();
}

void Run::collect_garbage() {
  auto& database = scratch_.database();
  while (database.transact([&](metadata::Transaction& tx) {
    return metadata::Versions(tx).prune(std::chrono::seconds{0}, batch_max);
  }) > 0) {
  }
  delete_dead_objects();
}

void Run::delete_dead_objects() {
  auto& database = scratch_.database();
  for (;;) {
    const auto rows = database.transact([&](metadata::Transaction& tx) {
      return metadata::Objects(tx).claim_for_deletion(std::chrono::seconds{0},
                                                      std::chrono::hours{1}, batch_max);
    });
    if (rows.empty()) return;
    for (const auto& row : rows) {
      const storage::ObjectKey key{row.key};
      for (const auto& upload : clean_store_.list_uploads(key).get()) {
        clean_store_.abort_upload(key, upload).get();
      }
      clean_store_.remove(key).get();
    }
    database.transact([&](metadata::Transaction& tx) { metadata::Objects(tx).mark_gone(rows); });
  }
}

void Run::finish() {
  restart();
  while (!names_.empty()) {
    vfs_->remove_file(names_.begin()->first);
    names_.erase(names_.begin());
  }
  const auto usage = scratch_.database().query(
      [&](metadata::Transaction& tx) { return metadata::Accounts(tx).usage(identity_.account); });
  expect(usage.used_bytes == 0, "bytes are left in the quota");
  vfs_ = nullptr;
  files_ = nullptr;
  witness_tree_ = nullptr;
  witness_ = nullptr;
  collect_garbage();
  expect(clean_store_.list("", "").get().objects.empty(), "objects are left in the store");
}

}  // namespace model
