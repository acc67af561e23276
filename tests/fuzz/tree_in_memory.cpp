#include "tests/fuzz/tree_in_memory.h"

#include <algorithm>

#include "sftpd/vfs/reading/listing_prefetch.h"

namespace sftpd::vfs {
namespace {

constexpr std::size_t content_bytes_max = 1 << 20;

/// "/a/b" of "a/./c/../b/".
std::string absolute(std::string_view path) {
  std::vector<std::string> names;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string name(path.substr(begin, end - begin));
    if (name == ".." && !names.empty()) names.pop_back();
    if (!name.empty() && name != "." && name != "..") names.push_back(name);
    begin = end + 1;
  }
  std::string whole;
  for (const std::string& name : names) whole += "/" + name;
  return whole.empty() ? "/" : whole;
}

bool is_below(const std::string& path, const std::string& directory) {
  const std::string prefix = directory == "/" ? "/" : directory + "/";
  return path.size() > prefix.size() && path.starts_with(prefix) &&
         path.find('/', prefix.size()) == std::string::npos;
}

void change(Attributes& attributes, const AttributeChanges& changes) {
  attributes.permissions = changes.permissions.value_or(attributes.permissions) & 07777;
  attributes.mtime = changes.mtime.value_or(attributes.mtime);
}

}  // namespace

class OpenFile {
 public:
  FileSystem& files;
  std::shared_ptr<FileSystem::Entry> entry;
};

class Reader {};

FileSystem::FileSystem() { add("/", NodeKind::directory, ""); }

std::shared_ptr<FileSystem::Entry> FileSystem::find(const std::string& path) const {
  const auto found = entries.find(path);
  return found == entries.end() ? nullptr : found->second;
}

std::shared_ptr<FileSystem::Entry> FileSystem::get(const std::string& path) const {
  auto entry = find(path);
  if (!entry) throw Error(ErrorCode::not_found, path);
  return entry;
}

void FileSystem::add(const std::string& path, NodeKind kind, const std::string& content) {
  auto entry = std::make_shared<Entry>();
  entry->attributes.kind = kind;
  entry->attributes.size = content.size();
  entry->content = content;
  entries[path] = std::move(entry);
}

void FileSystem::complete_one(bool well) {
  if (outstanding_.empty()) return;
  const auto complete = std::move(outstanding_.front());
  outstanding_.pop_front();
  complete(well);
}

Vfs::Vfs(FileSystem& files, Identity identity)
    : files_(files), identity_(std::move(identity)), root_{1} {}
Vfs::~Vfs() = default;

std::size_t Vfs::read_ahead_max() const { return content_bytes_max; }

Attributes Vfs::stat(std::string_view path, Links) {
  return files_.get(absolute(path))->attributes;
}

storage::Future<void> Vfs::set_attributes(std::string_view path, const AttributeChanges& changes,
                                          Links) {
  change(files_.get(absolute(path))->attributes, changes);
  return files_.done();
}

std::unique_ptr<FileHandle> Vfs::open_file(std::string_view path, OpenFlags flags,
                                           const AttributeChanges&) {
  const std::string name = absolute(path);
  if (!files_.find(name) && flags.create) files_.add(name, NodeKind::file, "");
  auto entry = files_.get(name);
  if (entry->attributes.kind != NodeKind::file) throw Error(ErrorCode::is_a_directory, name);
  if (flags.truncate) entry->content.clear();
  return std::make_unique<FileHandle>(files_, std::make_shared<OpenFile>(OpenFile{files_, entry}),
                                      flags, name);
}

std::unique_ptr<OpenDirectory> Vfs::open_directory(std::string_view path) {
  const std::string name = absolute(path);
  if (files_.get(name)->attributes.kind != NodeKind::directory) {
    throw Error(ErrorCode::not_a_directory, name);
  }
  metadata::Node node;
  node.name = name;
  return std::make_unique<OpenDirectory>(files_, identity_.account, node, node);
}

void Vfs::make_directory(std::string_view path, const AttributeChanges&) {
  const std::string name = absolute(path);
  if (files_.find(name)) throw Error(ErrorCode::already_exists, name);
  files_.add(name, NodeKind::directory, "");
}

void Vfs::remove_directory(std::string_view path) { remove_file(path); }

void Vfs::remove_file(std::string_view path) {
  const std::string name = absolute(path);
  files_.get(name);
  if (name == "/") throw Error(ErrorCode::permission_denied, name);
  files_.entries.erase(name);
}

void Vfs::rename(std::string_view from, std::string_view to) {
  auto entry = files_.get(absolute(from));
  if (files_.find(absolute(to))) throw Error(ErrorCode::already_exists, std::string(to));
  remove_file(from);
  files_.entries[absolute(to)] = std::move(entry);
}

storage::Future<void> Vfs::rename_over(std::string_view from, std::string_view to) {
  auto entry = files_.get(absolute(from));
  remove_file(from);
  if (absolute(to) != "/") files_.entries[absolute(to)] = std::move(entry);
  return files_.done();
}

void Vfs::make_link(std::string_view target, std::string_view link_path) {
  files_.add(absolute(link_path) + "/", NodeKind::symlink, std::string(target));
}

std::string Vfs::read_link(std::string_view path) { return files_.get(absolute(path))->content; }
std::string Vfs::real_path(std::string_view path) { return absolute(path); }
Space Vfs::space(std::string_view) { return space(); }
Space Vfs::space() { return {.total_bytes = 1 << 30, .free_bytes = 1 << 29}; }

FileHandle::FileHandle(FileSystem&, std::shared_ptr<OpenFile> file, OpenFlags flags,
                       std::string path)
    : file_(std::move(file)), flags_(flags), path_(std::move(path)) {}
FileHandle::~FileHandle() = default;

storage::Future<storage::Payload> FileHandle::read(std::uint64_t offset, std::uint32_t length) {
  const std::string& content = file_->entry->content;
  const auto begin = std::min<std::uint64_t>(offset, content.size());
  return file_->files.answer(storage::Payload::copy_of(content.substr(begin, length)));
}

storage::Future<void> FileHandle::write(std::uint64_t offset, storage::Payload bytes) {
  if (!flags_.write) throw Error(ErrorCode::bad_handle, path_);
  if (offset > content_bytes_max) throw Error(ErrorCode::bad_argument, path_);
  std::string& content = file_->entry->content;
  content.resize(std::max<std::size_t>(content.size(), offset + bytes.size()));
  std::ranges::copy(bytes.text(), content.begin() + static_cast<std::ptrdiff_t>(offset));
  // The future holds the bytes and looks at them again, as a file that cannot take them yet does.
  auto future = std::make_shared<storage::Future<storage::Payload>>(file_->files.answer(bytes));
  auto promise = std::make_shared<storage::Promise<void>>();
  future->on_ready([future, promise, copy = std::string(bytes.text())] {
    try {
      if (future->get().text() != copy) std::abort();
      promise->set_value();
    } catch (...) {  // also of a tree that is destroyed with answers outstanding
      promise->set_exception(std::current_exception());
    }
  });
  return promise->future();
}

Attributes FileHandle::attributes() { return file_->entry->attributes; }

storage::Future<void> FileHandle::set_attributes(const AttributeChanges& changes) {
  change(file_->entry->attributes, changes);
  return file_->files.done();
}

storage::Future<void> FileHandle::sync() { return file_->files.done(); }
storage::Future<void> FileHandle::close() { return file_->files.done(); }

storage::Future<void> FileHandle::copy_to(std::uint64_t, std::uint64_t, FileHandle& target,
                                          std::uint64_t) {
  return target.file_->files.done();
}

OpenDirectory::OpenDirectory(FileSystem& files, metadata::AccountId account,
                             metadata::Node directory, metadata::Node parent)
    : files_(files),
      account_(account),
      directory_(std::move(directory)),
      parent_(std::move(parent)) {}

Attributes OpenDirectory::attributes() { return files_.get(directory_.name)->attributes; }

void OpenDirectory::set_attributes(const AttributeChanges& changes) {
  change(files_.get(directory_.name)->attributes, changes);
}

std::vector<DirectoryEntry> OpenDirectory::next(int limit) {
  std::vector<DirectoryEntry> page;
  for (const auto& [path, entry] : files_.entries) {
    if (static_cast<int>(page.size()) == limit) break;
    if (path <= after_ || !is_below(path, directory_.name)) continue;
    after_ = path;
    page.push_back({.name = path.substr(path.rfind('/') + 1), .attributes = entry->attributes});
  }
  return page;
}

}  // namespace sftpd::vfs
