// Random operations on names.

#include <algorithm>

#include "tests/model/run.h"

namespace model {

using namespace sftpd::vfs;

void Run::resize_by_path() {
  const std::string name = some_name();
  const auto known = names_.find(name);
  if (known == names_.end()) return;
  const auto file = known->second;
  const std::uint64_t size = below(file->live.size() + 2000 * options_.scale);
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
  File& file = *known->second;
  check_content(content_elsewhere(name), file.committed, "seen by others");
  if (attributes.size == file.live.size()) return;
  // Some write failed, and only a reader has noticed.
  const bool failed = options_.may_fail && file.writers > 0;
  expect(failed && attributes.size == file.committed.size(), "size of stat");
  file.fail();
}

}  // namespace model
