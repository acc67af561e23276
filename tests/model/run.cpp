#include "tests/model/run.h"

#include <algorithm>
#include <stdexcept>

#include "metadata/repositories/accounts.h"
#include "metadata/repositories/objects.h"
#include "metadata/repositories/users.h"
#include "metadata/repositories/versions.h"

namespace model {

using namespace sftpd::vfs;

namespace {

constexpr std::size_t handles_max = 6;
constexpr std::size_t size_max = 60'000;
constexpr std::size_t operations_kept = 40;
constexpr std::chrono::seconds patience{60};

std::string text_of(const OpenFlags& flags) {
  std::string text;
  if (flags.read) text += 'r';
  if (flags.write) text += 'w';
  if (flags.append) text += 'a';
  if (flags.create) text += 'c';
  if (flags.truncate) text += 't';
  if (flags.exclusive) text += 'x';
  return text;
}

}  // namespace

Run::Run(storage::ObjectStore& store, storage::ObjectStore& clean_store, Options options)
    : options_(options), random_(options.seed), store_(store), clean_store_(clean_store) {
  const auto user = scratch_.database().transact([](metadata::Transaction& tx) {
    const auto account = metadata::Accounts(tx).create(std::nullopt);
    return metadata::Users(tx).create(account, "anna", "");
  });
  identity_ = {user.account, user.id, user.name, 1000, 1000};
  FileSystem::Options plain;
  plain.commit_threads = 1;
  witness_ = std::make_unique<FileSystem>(scratch_.database(), clean_store_, plain);
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
  options.part_size = std::size_t{4096} << below(3);
  options.inline_max = std::array<std::size_t, 3>{0, 100, 3000}[below(3)];
  options.read_cache_max = std::size_t{20'000} << below(4);
  options.commit_threads = 1 + static_cast<int>(below(4));
  options.parts_in_flight_max = 1 + static_cast<int>(below(4));
  options.interrupted_uploads = options_.interrupted;
  files_ = std::make_unique<FileSystem>(scratch_.database(), store_, options);
  vfs_ = std::make_unique<Vfs>(*files_, identity_);
}

void Run::step() {
  struct Weighted {
    int weight;
    void (Run::*operation)();
  };
  static constexpr Weighted operations[] = {
      {10, &Run::open},          {40, &Run::write},      {20, &Run::read},  {4, &Run::resize},
      {1, &Run::resize_by_path}, {4, &Run::sync},        {7, &Run::close},  {2, &Run::drop},
      {2, &Run::rename},         {2, &Run::rename_over}, {2, &Run::remove}, {2, &Run::copy},
      {4, &Run::look},           {1, &Run::destage},
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

// --- Operations
// ------------------------------------------------------------------------------------

void Run::open() {
  if (handles_.size() >= handles_max) return close();
  const std::string name = some_name();
  OpenFlags flags;
  flags.write = !one_in(4);
  flags.read = !flags.write || one_in(2);
  flags.append = flags.write && one_in(6);
  flags.create = flags.write && !one_in(4);
  flags.truncate = flags.write && one_in(4);
  flags.exclusive = flags.create && one_in(10);
  note("open " + name + " " + text_of(flags));
  const auto known = names_.find(name);
  const bool exists = known != names_.end();
  const bool allowed = exists ? !flags.exclusive : flags.create;
  std::unique_ptr<FileHandle> handle;
  std::optional<ErrorCode> refused;
  const bool opened = succeeds([&] {
    try {
      handle = vfs_->open_file(name, flags, {});
    } catch (const Error& error) {
      const auto expected = exists ? ErrorCode::already_exists : ErrorCode::not_found;
      if (allowed || error.code() != expected) throw;
      refused = error.code();
    }
  });
  if (refused) return;
  expect(!opened || allowed, "the open should have been refused");
  FilePtr& file = names_[name];
  if (!file) file = std::make_shared<File>();
  if (flags.truncate) {
    if (!opened) file->fail();
    file->live.clear();
  }
  if (!opened) {
    file->fail();
    return writer_left(file);
  }
  if (flags.write) ++file->writers;
  handles_.push_back({std::move(handle), file, flags});
}

void Run::write() {
  Handle* handle = some_handle(&OpenFlags::write);
  if (!handle) return open();
  File& file = *handle->file;
  // Mostly in order, in a burst that is not waited for, as clients do.
  std::uint64_t offset = some_offset(file);
  const std::size_t burst = 1 + below(6);
  std::vector<Future> answers;
  std::vector<std::string> all;
  std::string text;
  for (std::size_t i = 0; i < burst; ++i) {
    const std::string bytes = some_bytes(below(one_in(8) ? 12'000 : 3000));
    const std::uint64_t at = one_in(10) ? some_offset(file) : offset;
    if (std::max<std::uint64_t>(at, handle->flags.append ? file.live.size() : 0) + bytes.size() >
        size_max) {
      break;
    }
    text += " " + std::to_string(at) + "+" + std::to_string(bytes.size());
    answers.push_back(handle->handle->write(at, storage::Payload::copy_of(bytes)));
    file.write(handle->flags.append ? file.live.size() : at, bytes);
    offset = at + bytes.size();
  }
  note("write " + name_of(handle->file) + text);
  expect(file.failed || options_.may_fail || handle->handle->attributes().size == file.live.size(),
         "the size is not live");
  const bool all_written = succeeds([&] {
    for (auto& answer : answers) answer.get();
  });
  if (!all_written) file.fail();
}

void Run::read() {
  Handle* handle = some_handle(&OpenFlags::read);
  if (!handle) return open();
  const File& file = *handle->file;
  const std::uint64_t offset = below(file.live.size() + 100);
  const std::uint64_t length = 1 + below(one_in(4) ? 30'000 : 5000);
  note("read " + name_of(handle->file) + " " + std::to_string(offset) + "+" +
       std::to_string(length));
  std::string found;
  const bool came = succeeds([&] {
    found =
        std::string(handle->handle->read(offset, static_cast<std::uint32_t>(length)).get().text());
  });
  if (!came) return handle->file->fail();
  check_content(found, file.range(offset, length), "read");
}

void Run::resize() {
  Handle* handle = some_handle(&OpenFlags::write);
  if (!handle) return open();
  File& file = *handle->file;
  const std::uint64_t size = one_in(3) ? below(size_max) : below(file.live.size() + 1);
  note("resize " + name_of(handle->file) + " to " + std::to_string(size));
  auto answer = handle->handle->set_attributes({.size = size});
  file.resize(size);
  if (!succeeds([&] { answer.get(); })) file.fail();
}

void Run::resize_by_path() {
  const std::string name = some_name();
  const auto known = names_.find(name);
  if (known == names_.end()) return;
  const auto file = known->second;
  const std::uint64_t size = below(file->live.size() + 2000);
  note("resize by path " + name + " to " + std::to_string(size));
  if (options_.may_fail) file->fail();  // Before and after: either may be found.
  const bool failed_before = file->failed;
  file->resize(size);
  const bool resized =
      succeeds([&] { vfs_->set_attributes(name, {.size = size}, Vfs::Links::follow).get(); });
  if (resized) return file->commit();
  expect(failed_before, "a failure without a fault");
  file->fail();
  writer_left(file);
}

void Run::sync() {
  Handle* handle = some_handle(&OpenFlags::write);
  if (!handle) return;
  note("sync " + name_of(handle->file));
  if (succeeds([&] { handle->handle->sync().get(); })) {
    handle->file->commit();
  } else {
    handle->file->fail();
  }
}

void Run::close() {
  if (handles_.empty()) return;
  const std::size_t which = below(handles_.size());
  Handle handle = std::move(handles_[which]);
  handles_.erase(handles_.begin() + static_cast<std::ptrdiff_t>(which));
  note("close " + name_of(handle.file) + " " + text_of(handle.flags));
  const bool closed = succeeds([&] { handle.handle->close().get(); });
  if (!handle.flags.write) return;
  --handle.file->writers;
  if (closed) return handle.file->commit();
  handle.file->fail();
  handle.handle = nullptr;
  writer_left(handle.file);
}

void Run::drop() {
  if (handles_.empty()) return;
  const std::size_t which = below(handles_.size());
  Handle handle = std::move(handles_[which]);
  handles_.erase(handles_.begin() + static_cast<std::ptrdiff_t>(which));
  note("drop " + name_of(handle.file) + " " + text_of(handle.flags));
  handle.handle = nullptr;
  if (!handle.flags.write) return;
  File& file = *handle.file;
  const bool last = --file.writers == 0;
  settle(handle.file);
  if (options_.interrupted == FileSystem::InterruptedUploads::discard) {
    if (last && !file.failed) file.live = file.committed;
    if (last) writer_left(handle.file);
    return;
  }
  if (!file.has_name) return;
  if (options_.may_fail) file.fail();
  if (last && !handle.flags.read) keep_prefix(handle.file);
  if (options_.may_fail) return writer_left(handle.file);
  file.commit();
}

/// Of a lost upload what lies behind a gap may be gone: bytes that were never written are zeros, as
/// some_bytes() are not.
void Run::keep_prefix(const FilePtr& file) {
  const std::string found = content_elsewhere(name_of(file));
  const std::string& all = file->live;
  const bool is_prefix = found.size() < all.size() && all[found.size()] == '\0' &&
                         all.compare(0, found.size(), found) == 0;
  if (!options_.may_fail) {
    if (!is_prefix) check_content(found, all, "lost upload");
    file->live = found;
  } else if (is_prefix) {
    file->may_contain.insert(found);
  }
}

void Run::rename() {
  const std::string from = some_name();
  const std::string to = some_name();
  if (!names_.contains(from)) return;
  note("rename " + from + " " + to);
  bool refused = false;
  try {
    vfs_->rename(from, to);
  } catch (const Error& error) {
    refused = error.code() == ErrorCode::already_exists;
    expect(refused, std::string("rename failed: ") + error.what());
  }
  expect(refused == names_.contains(to), "rename onto an existing name");
  if (refused) return;
  names_[to] = names_[from];
  names_.erase(from);
}

void Run::rename_over() {
  const std::string from = some_name();
  const std::string to = some_name();
  const auto source = names_.find(from);
  if (source == names_.end()) return;
  note("rename_over " + from + " " + to);
  const auto file = source->second;
  const bool replaces = from != to && names_.contains(to);
  if (!succeeds([&] { vfs_->rename_over(from, to).get(); })) return file->fail();
  if (from == to) return;
  if (replaces) {
    names_[to]->has_name = false;
    const bool is_open = std::any_of(handles_.begin(), handles_.end(),
                                     [&](const Handle& each) { return each.file == file; });
    if (is_open) file->commit();
  }
  names_[to] = file;
  names_.erase(from);
}

void Run::remove() {
  const std::string name = some_name();
  const auto known = names_.find(name);
  if (known == names_.end()) return;
  note("remove " + name);
  vfs_->remove_file(name);
  known->second->has_name = false;
  names_.erase(known);
}

void Run::copy() {
  Handle* source = some_handle(&OpenFlags::read);
  Handle* target = some_handle(&OpenFlags::write);
  if (!source || !target || !source->file->has_name || !target->file->has_name) return;
  const std::uint64_t offset = below(source->file->live.size() + 10);
  const std::uint64_t length = one_in(5) ? 0 : 1 + below(10'000);
  const std::uint64_t at = some_offset(*target->file);
  if (at + source->file->live.size() > size_max) return;
  note("copy " + name_of(source->file) + " " + std::to_string(offset) + "+" +
       std::to_string(length) + " to " + name_of(target->file) + " " + std::to_string(at));
  const std::string from = source->file->live;
  const bool copied =
      succeeds([&] { source->handle->copy_to(offset, length, *target->handle, at).get(); });
  if (!copied) {
    source->file->fail();
    return target->file->fail();
  }
  source->file->commit();
  target->file->copy(from, offset, length, at);
}

void Run::look() {
  const std::string name = some_name();
  const auto known = names_.find(name);
  note("look at " + name);
  bool exists = true;
  Attributes attributes;
  try {
    attributes = vfs_->stat(name, Vfs::Links::follow);
  } catch (const Error& error) {
    expect(error.code() == ErrorCode::not_found, std::string("stat failed: ") + error.what());
    exists = false;
  }
  expect(exists == (known != names_.end()), "existence");
  if (!exists || known->second->failed) return;
  expect(attributes.size == known->second->live.size(), "size of stat");
  check_content(content_elsewhere(name), known->second->committed, "seen by others");
}

void Run::destage() {
  note("destage");
  try {
    files_->destage(std::chrono::seconds{0}, 5);
  } catch (const storage::Error& error) {
    expect(options_.may_fail, std::string("destage failed: ") + error.what());
  }
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

// --- Checks
// ----------------------------------------------------------------------------------------

std::string Run::some_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>('a' + (random_() >> 33) % 26);
  return bytes;
}

std::uint64_t Run::some_offset(const File& file) {
  const std::uint64_t size = file.live.size();
  if (one_in(12)) return 0;
  if (one_in(4)) return below(size + 1);
  return one_in(6) ? size + below(6000) : size;
}

Run::Handle* Run::some_handle(bool OpenFlags::*flag) {
  std::vector<Handle*> fit;
  for (auto& handle : handles_) {
    if (handle.flags.*flag) fit.push_back(&handle);
  }
  return fit.empty() ? nullptr : fit[below(fit.size())];
}

std::string Run::name_of(const FilePtr& file) const {
  for (const auto& [name, each] : names_) {
    if (each == file) return name;
  }
  return "(removed)";
}

std::string Run::content_elsewhere(const std::string& name) {
  const auto handle = witness_tree_->open_file(name, {.read = true}, {});
  return std::string(handle->read(0, 10 * size_max).get().text());
}

bool Run::succeeds(const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    expect(options_.may_fail && error.code() == ErrorCode::store_unavailable,
           std::string("failed: ") + error.what());
    return false;
  }
}

void Run::note(const std::string& operation) {
  last_operations_.push_back(std::to_string(count_) + ": " + operation);
  if (last_operations_.size() > operations_kept) last_operations_.pop_front();
}

void Run::expect(bool holds, const std::string& what) {
  if (holds) return;
  std::string text = "seed " + std::to_string(options_.seed) + ": " + what;
  for (const auto& operation : last_operations_) text += "\n  " + operation;
  throw std::runtime_error(text);
}

void Run::check_content(const std::string& found, const std::string& expected,
                        const std::string& what) {
  if (found == expected) return;
  const auto differ = std::mismatch(found.begin(), found.end(), expected.begin(), expected.end());
  expect(false, what + ": " + std::to_string(found.size()) + " bytes instead of " +
                    std::to_string(expected.size()) + ", different at " +
                    std::to_string(differ.first - found.begin()));
}

/// Waits for what was asked of the file before.
void Run::settle(const FilePtr& file) {
  const auto open = std::find_if(handles_.begin(), handles_.end(),
                                 [&](const Handle& each) { return each.file == file; });
  if (open != handles_.end()) {
    open->handle->set_attributes({.atime = 1}).get();
  } else if (file->has_name) {
    vfs_->set_attributes(name_of(file), {.atime = 1}, Vfs::Links::follow).get();
  }
}

void Run::writer_left(const FilePtr& file) {
  if (!file->failed || file->writers > 0 || !file->has_name) return;
  settle(file);
  const std::string found = content_elsewhere(name_of(file));
  expect(file->may_contain.contains(found), "neither the old content nor the new");
  file->live = found;
  file->commit();
}

void Run::check_all() {
  for (const auto& [name, file] : names_) {
    expect(!file->failed, "a failed file is settled when its writers are gone");
    check_content(content_elsewhere(name), file->committed, "all seen by others");
    expect(vfs_->stat(name, Vfs::Links::follow).size == file->live.size(), "size of all");
  }
  const auto listed = vfs_->open_directory("/")->next(100);
  expect(listed.size() == names_.size() + 2, "number of entries");
}

void Run::collect_garbage() {
  auto& database = scratch_.database();
  while (database.transact([&](metadata::Transaction& tx) {
    return metadata::Versions(tx).prune(std::chrono::seconds{0}, 1000);
  }) > 0) {
  }
  for (;;) {
    const auto rows = database.transact([&](metadata::Transaction& tx) {
      return metadata::Objects(tx).claim_for_deletion(std::chrono::seconds{0},
                                                      std::chrono::hours{1}, 1000);
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
