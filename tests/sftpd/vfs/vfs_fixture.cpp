#include "tests/sftpd/vfs/vfs_fixture.h"

#include "metadata/names/node_cache.h"
#include "sftpd/vfs/path_walk.h"

namespace sftpd::vfs {

namespace {

storage::Limits small_parts() {
  storage::Limits limits;
  limits.part_size_min = 4 * kib;
  return limits;
}

constexpr std::chrono::seconds patience{60};

}  // namespace

VfsTest::VfsTest() : memory_store(small_parts()), store(memory_store) {
  options.part_size = 64 * kib;
  options.inline_max = 1 * kib;
  options.commit_threads = 4;
  const auto user = scratch.database().transact([](metadata::Transaction& tx) {
    const auto account = metadata::Accounts(tx).create(std::nullopt);
    return metadata::Users(tx).create(account, "anna", "");
  });
  identity = {user.account, user.id, user.name, 1000, 1000};
  scratch.database().node_cache().trust_until(metadata::NodeCache::Clock::time_point::max());
  restart();
}

VfsTest::~VfsTest() {
  store.clear();
  store.release();
  vfs = nullptr;
  files = nullptr;
}

void VfsTest::restart() {
  vfs = nullptr;
  files = nullptr;
  files = std::make_unique<FileSystem>(scratch.database(), store, options);
  vfs = std::make_unique<Vfs>(*files, identity);
}

void VfsTest::drain() { files->drain(patience); }

std::unique_ptr<FileHandle> VfsTest::open(const std::string& path, OpenFlags flags,
                                          const AttributeChanges& initial) {
  return vfs->open_file(path, flags, initial);
}

std::unique_ptr<FileHandle> VfsTest::create(const std::string& path) {
  return open(path, {.write = true, .create = true, .truncate = true});
}

std::unique_ptr<FileHandle> VfsTest::open_reading(const std::string& path) {
  return open(path, {.read = true});
}

std::unique_ptr<FileHandle> VfsTest::open_writing(const std::string& path) {
  return open(path, {.write = true});
}

std::unique_ptr<FileHandle> VfsTest::open_editing(const std::string& path) {
  return open(path, {.read = true, .write = true});
}

void VfsTest::put(const std::string& path, const std::string& content) {
  const auto handle = create(path);
  write_all(*handle, content);
  handle->close().get();
}

std::string VfsTest::read(FileHandle& handle) {
  std::string content;
  for (;;) {
    const auto bytes = handle.read(content.size(), 32 * kib).get();
    if (bytes.empty()) return content;
    content += bytes.text();
  }
}

std::string VfsTest::read(const std::string& path) { return read(*open_reading(path)); }

std::string VfsTest::read_elsewhere(const std::string& path) {
  FileSystem other(scratch.database(), memory_store, options);
  Vfs there(other, identity);
  return read(*there.open_file(path, {.read = true}, {}));
}

storage::Future<void> VfsTest::start_write(FileHandle& handle, std::uint64_t offset,
                                           const std::string& bytes) {
  return handle.write(offset, storage::Payload::copy_of(bytes));
}

void VfsTest::write(FileHandle& handle, std::uint64_t offset, const std::string& bytes) {
  start_write(handle, offset, bytes).get();
}

void VfsTest::write_all(FileHandle& handle, const std::string& bytes, std::uint64_t offset) {
  for (std::size_t at = 0; at < bytes.size(); at += 32 * kib) {
    write(handle, offset + at, bytes.substr(at, 32 * kib));
  }
}

Attributes VfsTest::stat(const std::string& path) { return vfs->stat(path, Vfs::Links::follow); }

bool VfsTest::exists(const std::string& path) {
  return code_of([&] { vfs->stat(path, Vfs::Links::keep); }) != ErrorCode::not_found;
}

metadata::Node VfsTest::node(const std::string& path) {
  const auto root = scratch.database().query(
      [&](metadata::Transaction& tx) { return metadata::Accounts(tx).root(identity.account); });
  const PathWalk walk(scratch.database(), identity.account, root);
  return walk.find(path, PathWalk::LastLink::keep).node();
}

int VfsTest::live_objects() {
  return std::stoi(text("SELECT count(*) FROM objects WHERE state = 'live'"));
}

}  // namespace sftpd::vfs
