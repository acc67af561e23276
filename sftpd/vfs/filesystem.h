#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "metadata/database.h"
#include "metadata/ids.h"
#include "sftpd/vfs/counts.h"
#include "sftpd/vfs/writing/inline_backlog.h"
#include "storage/object_store.h"

namespace sftpd::vfs {

class BlockCache;
class ContentType;
class DiskCache;
class Executor;
class MemoryPool;
class ObjectChecks;
class ObjectReserve;
class OpenFiles;

/// Where metadata and storage meet: what all sessions of the process share. One a process.
///
/// Safe to use from any thread. Destroying it waits for commits that are under way; sessions must
/// be gone by then.
class FileSystem {
 public:
  enum class InterruptedUploads { keep, discard };

  struct Options {
    std::string key_prefix;  ///< of object keys; may be empty
    /// For bytes on their way to or from the store, in the whole process.
    std::size_t transfer_memory_max = std::size_t{256} << 20;
    /// Of that, for the cache of blocks read.
    std::size_t read_cache_max = std::size_t{64} << 20;
    /// A directory for a second tier of that cache, which survives restarts; empty: none.
    std::string read_cache_directory;
    std::uint64_t read_cache_disk_max = std::uint64_t{10} << 30;
    /// Objects read from their first byte to their last are compared with their checksums.
    bool verify_reads = true;
    std::size_t part_size = std::size_t{16} << 20;  ///< of multipart uploads, for files of 32 GiB
    int parts_in_flight_max = 4;                    ///< of one file
    /// Content up to this size is committed into PostgreSQL and moved to the store later; 0: never.
    std::size_t inline_max = std::size_t{128} << 10;
    /// Bytes that may wait there; beyond them new content goes to the store at once.
    std::uint64_t inline_backlog_max = std::uint64_t{1} << 30;
    std::uint32_t umask = 022;  ///< taken off the modes that new files and directories ask for
    std::string scratch_directory = "/tmp";  ///< for edits that do not fit memory
    InterruptedUploads interrupted_uploads = InterruptedUploads::keep;
    /// A commit of more extents than this joins some, as far as that is in proportion to it.
    std::size_t extents_max = 1000;
    int commit_threads = 32;  ///< commits to the store under way at once
    /// For how long a killed process's uploads look alive; renewed five times as often.
    std::chrono::seconds object_lease{60};
  };

  /// `database` and `store` must outlive it.
  FileSystem(metadata::Database& database, storage::ObjectStore& store, Options options);
  ~FileSystem();
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  metadata::Database& database() { return database_; }
  storage::ObjectStore& store() { return store_; }
  const Options& options() const { return options_; }
  MemoryPool& memory() { return *memory_; }
  BlockCache& cache() { return *cache_; }
  ObjectChecks& object_checks() { return *object_checks_; }
  Executor& executor() { return *executor_; }
  OpenFiles& open_files() { return *open_files_; }
  ObjectReserve& objects() { return *objects_; }
  ContentType& content_type() { return *content_type_; }
  InlineBacklog& inline_backlog() { return inline_backlog_; }
  Counts& counts() { return counts_; }
  /// Bytes in the read cache's directory.
  std::uint64_t disk_cache_used() const;
  /// Up to which size content may be committed into PostgreSQL now.
  std::size_t inline_max() const { return inline_backlog_.has_room() ? options_.inline_max : 0; }
  /// Held by the one who uses memory beyond the pool, so that rewriting gets on when it is empty.
  std::mutex& beyond_the_pool() { return beyond_the_pool_; }

  /// The program ends: for `grace` the store is waited for as usual, then what needs it fails; what
  /// it has of uploads is kept for the next start. Returns at once.
  void stop_waiting_for_store(std::chrono::milliseconds grace);

  /// Waits until everything that lost connections left behind is committed, at most `limit`.
  void drain(std::chrono::milliseconds limit);

  /// What became of uploads' objects.
  struct FinishedUploads {
    int done = 0;
    int failed = 0;     ///< logged; they are tried again, or were given up
    bool more = false;  ///< perhaps
  };
  /// Finishes uploads that a killed process left (its leases ended), file by file: their received
  /// prefix becomes the file, marked incomplete, or is discarded. One that fails holds up no other:
  /// it is tried again with growing pauses, while the store or the database is away for ever, else
  /// for about a day. A job calls it.
  FinishedUploads finish_interrupted_uploads(const std::stop_token& stop = {});

  /// Moves up to `limit` inline extents older than `age` into the store, of any age if too many
  /// wait. Returns how many. A job.
  int destage(std::chrono::seconds age, int limit);

  /// Makes one object of each of up to `limit` files that lie in several pieces and had no new
  /// content for `quiet`. Nobody sees a change. Returns how many were looked at. A job.
  int flatten(std::chrono::seconds quiet, int limit, const std::stop_token& stop);

  /// An object that is all of a file's content: what can be given away as a whole.
  struct WholeObject {
    std::string key;
    std::uint64_t size = 0;
    std::string mime;  ///< of the file; empty: not known
  };
  /// The object of the file's committed content as it is now. Where that lies in several pieces or
  /// in the database, one is made of them first, which takes as long as it takes; nobody sees a
  /// change. It stays in the store while the content is kept, and for as long as dead objects are.
  /// Waits for the store and the database, on the caller's thread. Throws not_found,
  /// is_a_directory, being_written (here, or by an upload anywhere; or others are at its pieces),
  /// bad_argument (an empty file has no object), unsupported (too many holes or pieces), and what
  /// the store or the database fail with.
  WholeObject whole_object(metadata::AccountId account, metadata::NodeId node);

 private:
  metadata::Database& database_;
  storage::ObjectStore& store_;
  Options options_;
  InlineBacklog inline_backlog_;
  Counts counts_;
  std::mutex beyond_the_pool_;
  std::unique_ptr<MemoryPool> memory_;
  std::unique_ptr<DiskCache> disk_cache_;  ///< may be null
  std::unique_ptr<BlockCache> cache_;
  std::unique_ptr<ObjectChecks> object_checks_;
  std::unique_ptr<ContentType> content_type_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<ObjectReserve> objects_;
  std::unique_ptr<OpenFiles> open_files_;
};

}  // namespace sftpd::vfs
