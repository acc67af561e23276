// A process that uploads a file and is killed for it: writes what it is told, says so, and waits.
//   vfs_writer DATABASE STORE ACCOUNT USER FLAGS PATH [OFFSET:LENGTH | !OFFSET:LENGTH | =SIZE |
//   ?OFFSET | >NAME | <NAME | .]...
// FLAGS: t truncate, a append. The bytes are those that noise() gives the whole file; with ! they
// are others. = changes the size, ? reads a byte, without an offset the first. > renames the file
// over NAME, < renames NAME over the file. At a . it says so already, and goes on after a byte of
// input.

#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "metadata/database.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/vfs.h"
#include "sftpd/vfs/writing/memory_pool.h"
#include "storage/local/local_object_store.h"
#include "tests/sftpd/vfs/noise.h"

namespace {

using namespace sftpd::vfs;

/// Waits until only the part that is not full is in memory.
void wait_until_sent(MemoryPool& memory, std::size_t rest) {
  for (;;) {
    const auto seen = memory.releases();
    if (memory.used() <= rest) return;
    auto released = std::make_shared<storage::Promise<void>>();
    auto future = released->future();
    memory.when_released(seen, [released] { released->set_value(); });
    future.get();
  }
}

void say_written(MemoryPool& memory) {
  wait_until_sent(memory, 64 * 1024);
  std::cout << "written" << std::endl;
}

void write_range(FileHandle& handle, const std::string& content, const std::string& range) {
  const std::size_t offset = std::stoul(range);
  const std::size_t end = offset + std::stoul(range.substr(range.find(':') + 1));
  for (std::size_t at = offset; at < end; at += 32 * 1024) {
    const auto bytes = content.substr(at, std::min<std::size_t>(32 * 1024, end - at));
    handle.write(at, storage::Payload::copy_of(bytes)).get();
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 7) return 2;
  metadata::Database::Options database_options;
  database_options.url = arguments[1];
  metadata::Database database(database_options);
  storage::local::LocalObjectStore store({.directory = arguments[2]});
  FileSystem::Options options;
  options.part_size = 64 * 1024;
  options.inline_max = 0;
  FileSystem files(database, store, options);
  Vfs vfs(files, {metadata::AccountId{std::stol(arguments[3])},
                  metadata::UserId{std::stol(arguments[4])}, "anna", 1000, 1000});
  const std::string flags = arguments[5];
  const auto handle = vfs.open_file(arguments[6],
                                    {.write = true,
                                     .append = flags.find('a') != flags.npos,
                                     .create = true,
                                     .truncate = flags.find('t') != flags.npos},
                                    {});
  const auto reader = vfs.open_file(arguments[6], {.read = true}, {});
  const std::string content = noise(8'000'000, 7);
  const std::string other = noise(8'000'000, 8);
  for (int i = 7; i < count; ++i) {
    const std::string what = arguments[i];
    if (what[0] == '=') {
      handle->set_attributes({.size = std::stoul(what.substr(1))}).get();
    } else if (what[0] == '?') {
      const std::size_t offset = what.size() > 1 ? std::stoul(what.substr(1)) : 0;
      reader->read(offset, 1).get();
    } else if (what[0] == '>') {
      vfs.rename_over(arguments[6], what.substr(1)).get();
    } else if (what[0] == '<') {
      vfs.rename_over(what.substr(1), arguments[6]).get();
    } else if (what[0] == '.') {
      say_written(files.memory());
      if (std::cin.get() == EOF) return 1;
    } else if (what[0] == '!') {
      write_range(*handle, other, what.substr(1));
    } else {
      write_range(*handle, content, what);
    }
  }
  say_written(files.memory());
  ::pause();
  return 0;
}
