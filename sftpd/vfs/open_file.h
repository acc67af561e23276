#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "metadata/ids.h"
#include "metadata/repositories/nodes.h"
#include "metadata/repositories/versions.h"
#include "sftpd/vfs/attributes.h"
#include "sftpd/vfs/content.h"
#include "sftpd/vfs/file_handle.h"
#include "sftpd/vfs/object_writer.h"
#include "sftpd/vfs/operation_queue.h"
#include "sftpd/vfs/scratch_file.h"
#include "storage/future.h"
#include "storage/payload.h"

namespace sftpd::vfs {

class FileSystem;
class Reader;

/// One file that is open in this process, whoever opened it: all its handles share it.
///
/// Its content is the committed version (base) under what was written since: bytes that stream into
/// a new object, bytes in a scratch file. A commit turns all of it into stored extents and
/// publishes them in one transaction; until then the old content is the file for everybody else.
/// Operations take effect in the order they were called in. Safe from any thread.
class OpenFile : public std::enable_shared_from_this<OpenFile> {
 public:
  /// `content` is that of node.version.
  OpenFile(FileSystem& files, metadata::AccountId account, metadata::UserId user,
           const metadata::Node& node, Content content, std::string mime);
  ~OpenFile();

  storage::Future<storage::Payload> read(const std::shared_ptr<Reader>& reader,
                                         std::uint64_t offset, std::uint32_t length);
  storage::Future<void> write(const OpenFlags& flags, std::uint64_t offset,
                              storage::Payload bytes);
  storage::Future<void> set_attributes(const AttributeChanges& changes);
  storage::Future<void> sync();
  storage::Future<void> copy_from(const std::shared_ptr<OpenFile>& source, std::uint64_t offset,
                                  std::uint64_t length, std::uint64_t target_offset);

  void writer_came();
  /// A writing handle closes: commits; a failure leaves the old content, once the last one closed.
  storage::Future<void> close_writer();
  /// A writing handle is lost with its connection: keeps what arrived, or not, as configured.
  void drop_writer();

  /// Runs `work` behind everything that was called before, committed first. For replacing a name.
  storage::Future<void> after_commit(std::function<void()> work);

  Attributes attributes();
  /// Whether this process knows more about the file than the database.
  bool ahead_of_database();
  metadata::NodeId node();
  std::optional<metadata::VersionId> version();

  /// Another process committed: takes its content over, unless there are own changes.
  void refresh(const metadata::Node& node, Content content, std::string mime);
  /// The name is gone (or back, when it could not be removed): commits go nowhere.
  void set_orphaned(bool orphaned);
  /// The file now lives under another node: it replaced that one's content.
  void move_to_node(metadata::NodeId node);

  /// Makes memory free by finishing the object that streams, if it holds some. Does not wait.
  void relieve();
  /// Bytes in memory for streaming.
  std::size_t buffered();
  /// Begins to fetch the first bytes of a file that will probably be read whole.
  void prefetch(std::uint64_t bytes_max);
  /// No operation is under way.
  bool idle() const { return operations_.idle(); }

  metadata::AccountId account() const { return account_; }

 private:
  enum class Effect { none, changes_content };
  enum class Completeness { complete, incomplete };
  enum class ReadStart { started, needs_cut };
  using Operation = OperationQueue::Operation;
  struct ReadJob;
  struct StoredPiece {
    Stored place;
    std::uint64_t length = 0;
    std::uint64_t into = 0;  ///< in the answer
  };

  storage::Future<void> submit(Operation operation, Effect effect);

  // Steps of operations, in operation order. `may_wait`: on a thread that may wait for the store.
  Step write_step(const OpenFlags& flags, std::uint64_t offset, const storage::Payload& bytes,
                  bool may_wait);
  Step stream_step(std::uint64_t offset, const storage::Payload& bytes, bool may_wait);
  Step truncate_step(std::uint64_t size, bool may_wait);
  Step attributes_step(const AttributeChanges& changes, bool may_wait);
  bool may_stream(const OpenFlags& flags, std::uint64_t offset);
  void scratch_write_locked(std::uint64_t offset, std::span<const std::byte> bytes);
  void save_leftovers_locked(ObjectWriter& writer);
  void touch_locked();
  void cut_stream(bool final_one);

  // Reading: open_file_reading.cpp.
  ReadStart start_read(const std::shared_ptr<ReadJob>& job);
  void fetch(ReadJob& job, const std::vector<StoredPiece>& wanted, std::uint64_t granularity);
  bool copy_local_locked(const Piece& piece, std::span<std::byte> into);

  std::vector<Piece> stored_pieces(std::uint64_t offset, std::uint64_t length);
  void adopt(const std::vector<Piece>& pieces, std::uint64_t from, std::uint64_t to);

  // Committing: open_file_commit.cpp. All may wait for the store and the database.
  void commit(Completeness completeness);
  void store_stream();
  void store_scratch();
  void inline_scratch_locked(const std::vector<Piece>& pieces);
  void pack_scratch(const std::vector<Piece>& pieces);
  void wait_for_memory(std::uint64_t releases_seen);
  metadata::Publication publication_locked(Completeness completeness);
  std::optional<metadata::Sha256> whole_hash_locked(const metadata::Publication& publication);
  std::optional<metadata::PublishResult> publish(const metadata::Publication& publication);
  std::optional<metadata::PublishResult> find_published(const metadata::Publication& publication);
  void committed(const metadata::PublishResult& result);

  bool nothing_to_commit();
  bool last_writer_left();
  void revert();
  void discard_finished();
  void throw_if_failed();
  void remember_failure();

  FileSystem& files_;
  const metadata::AccountId account_;
  const metadata::UserId user_;
  OperationQueue operations_;
  std::atomic<int> changes_queued_ = 0;  ///< operations that reads have to wait for

  std::mutex mutex_;  ///< guards all below; held shortly, never while waiting for the store
  metadata::Node node_;
  std::uint64_t size_ = 0;
  Content content_;
  Content base_;
  std::uint64_t base_size_ = 0;
  std::string mime_;
  bool dirty_ = false;
  bool times_set_ = false;  ///< mtime was set after the last write
  bool attributes_pending_ = false;
  bool orphaned_ = false;
  int writers_ = 0;
  std::shared_ptr<ObjectWriter> stream_;
  std::unique_ptr<ScratchFile> scratch_;
  std::vector<WrittenObject> finished_;  ///< stored, not published yet
  std::exception_ptr failure_;
};

}  // namespace sftpd::vfs
