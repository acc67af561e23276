// Random operations on open files.

#include <algorithm>

#include "tests/model/run.h"

namespace model {

using namespace sftpd::vfs;

namespace {

constexpr std::size_t handles_max = 6;

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
    const std::string bytes = some_bytes(below(options_.scale * (one_in(8) ? 12'000 : 3000)));
    const std::uint64_t at = one_in(10) ? some_offset(file) : offset;
    if (std::max<std::uint64_t>(at, handle->flags.append ? file.live.size() : 0) + bytes.size() >
        size_max()) {
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
  File& file = *handle->file;
  const std::uint64_t offset = below(file.live.size() + 100);
  const std::uint64_t length = 1 + below(options_.scale * (one_in(4) ? 30'000 : 5000));
  note("read " + name_of(handle->file) + " " + std::to_string(offset) + "+" +
       std::to_string(length));
  std::string found;
  const bool came = succeeds([&] {
    found =
        std::string(handle->handle->read(offset, static_cast<std::uint32_t>(length)).get().text());
  });
  if (!came) {
    if (file.writers > 0) file.fail();  // What is being written may have had to be stored first.
  } else if (file.failed && file.writers == 0) {
    expect(file.may_have(offset, length, found), "neither the old content nor the new");
  } else if (options_.may_fail && !handle->flags.write && file.has_name &&
             found != file.range(offset, length)) {
    file.fail();  // Some write failed, perhaps just now: who only reads gets what is committed.
    expect(file.may_have(offset, length, found), "neither what is committed nor what is written");
  } else {
    check_content(found, file.range(offset, length), "read");
  }
}

void Run::resize() {
  Handle* handle = some_handle(&OpenFlags::write);
  if (!handle) return open();
  File& file = *handle->file;
  const std::uint64_t size = one_in(3) ? below(size_max()) : below(file.live.size() + 1);
  note("resize " + name_of(handle->file) + " to " + std::to_string(size));
  auto answer = handle->handle->set_attributes({.size = size});
  file.resize(size);
  if (!succeeds([&] { answer.get(); })) file.fail();
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

void Run::copy() {
  Handle* source = some_handle(&OpenFlags::read);
  Handle* target = some_handle(&OpenFlags::write);
  if (!source || !target || !source->file->has_name || !target->file->has_name) return;
  const std::uint64_t offset = below(source->file->live.size() + 10);
  const std::uint64_t length = one_in(5) ? 0 : 1 + below(10'000 * options_.scale);
  const std::uint64_t asked = some_offset(*target->file);
  const std::uint64_t at = target->flags.append ? target->file->live.size() : asked;
  if (at + source->file->live.size() > size_max()) return;
  note("copy " + name_of(source->file) + " " + std::to_string(offset) + "+" +
       std::to_string(length) + " to " + name_of(target->file) + " " + std::to_string(asked));
  const std::string from = source->file->live;
  const bool copied =
      succeeds([&] { source->handle->copy_to(offset, length, *target->handle, asked).get(); });
  if (!copied) {
    if (source->file->writers > 0) source->file->fail();
    return target->file->fail();
  }
  source->file->commit();
  target->file->copy(from, offset, length, at);
}

Run::Handle* Run::some_handle(bool OpenFlags::*flag) {
  std::vector<Handle*> fit;
  for (auto& handle : handles_) {
    if (handle.flags.*flag) fit.push_back(&handle);
  }
  return fit.empty() ? nullptr : fit[below(fit.size())];
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

}  // namespace model
