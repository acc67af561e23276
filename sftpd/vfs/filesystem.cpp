#include "sftpd/vfs/filesystem.h"

#include <algorithm>

#include "metadata/repositories/objects.h"
#include "sftpd/vfs/content/content_type.h"
#include "sftpd/vfs/executor.h"
#include "sftpd/vfs/open_file/open_files.h"
#include "sftpd/vfs/reading/block_cache.h"
#include "sftpd/vfs/reading/disk_cache.h"
#include "sftpd/vfs/reading/object_check.h"
#include "sftpd/vfs/writing/memory_pool.h"
#include "sftpd/vfs/writing/object_reserve.h"
#include "sftpd/vfs/writing/scratch_file.h"

namespace sftpd::vfs {

namespace {
/// What writing needs at least to get on: some parts of the smallest size.
constexpr std::size_t writing_memory_min = std::size_t{32} << 20;
}  // namespace

FileSystem::FileSystem(metadata::Database& database, storage::ObjectStore& store, Options options)
    : database_(database),
      store_(store),
      options_(std::move(options)),
      inline_backlog_(options_.inline_backlog_max) {
  const ScratchFile probe(options_.scratch_directory);  // Better said now than at an edit.
  const std::size_t all = std::max(options_.transfer_memory_max, writing_memory_min);
  options_.read_cache_max = std::min(options_.read_cache_max, all / 2);
  memory_ = std::make_unique<MemoryPool>(all - options_.read_cache_max);
  if (!options_.read_cache_directory.empty()) {
    disk_cache_ =
        std::make_unique<DiskCache>(options_.read_cache_directory, options_.read_cache_disk_max);
  }
  cache_ = std::make_unique<BlockCache>(store_, options_.read_cache_max, disk_cache_.get());
  object_checks_ = std::make_unique<ObjectChecks>(*cache_, [this](const CheckedObject& object) {
    counts_.damaged_objects.add();
    database_.transact([&](metadata::Transaction& tx) {
      metadata::Objects(tx).mark_damaged(object.account, object.place.object);
    });
  });
  content_type_ = std::make_unique<ContentType>();
  objects_ = std::make_unique<ObjectReserve>(database_, options_.key_prefix, options_.object_lease);
  executor_ = std::make_unique<Executor>(options_.commit_threads);
  open_files_ = std::make_unique<OpenFiles>(*this);
}

FileSystem::~FileSystem() {
  open_files_->wait_until_none(std::chrono::seconds(60));
  // Uploads that were given up: their last parts are still on the way.
  memory_->wait_until_unshared();
  // The executor next: what it still runs uses all the others.
  executor_.reset();
  // What was fetched for nobody any more may still have to be hashed.
  cache_->wait_until_idle();
}

std::uint64_t FileSystem::disk_cache_used() const { return disk_cache_ ? disk_cache_->used() : 0; }

void FileSystem::stop_waiting_for_store(std::chrono::milliseconds grace) {
  objects_->keep_discarded();
  store_.stop(grace);
}

void FileSystem::drain(std::chrono::milliseconds limit) { open_files_->wait_until_none(limit); }

}  // namespace sftpd::vfs
