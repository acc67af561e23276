#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "metadata/ids.h"
#include "metadata/repositories/nodes.h"
#include "metadata/repositories/versions.h"
#include "sftpd/vfs/attributes.h"
#include "sftpd/vfs/content/content.h"
#include "sftpd/vfs/open_file/file_handle.h"
#include "sftpd/vfs/open_file/hashed_prefix.h"
#include "sftpd/vfs/open_file/operation_queue.h"
#include "sftpd/vfs/writing/object_writer.h"
#include "sftpd/vfs/writing/scratch_file.h"
#include "storage/future.h"
#include "storage/payload.h"

namespace sftpd::vfs {

class FileSystem;
class ObjectCheck;
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

  /// What a READ gets once somebody's write has failed: that failure, or what is committed. The
  /// latter is for whoever does not write: nothing else can become the file any more.
  enum class AfterFailure { fails, is_committed_content };
  storage::Future<storage::Payload> read(const std::shared_ptr<Reader>& reader,
                                         std::uint64_t offset, std::uint32_t length,
                                         AfterFailure after_failure);
  storage::Future<void> write(const OpenFlags& flags, std::uint64_t offset, storage::Payload bytes);
  storage::Future<void> set_attributes(const AttributeChanges& changes);
  storage::Future<void> sync();
  /// Without a `target_offset` to the end.
  storage::Future<void> copy_from(const std::shared_ptr<OpenFile>& source, std::uint64_t offset,
                                  std::uint64_t length, std::optional<std::uint64_t> target_offset);

  void writer_came();
  /// A writing handle closes: commits; a failure leaves the old content, once the last one closed.
  storage::Future<void> close_writer();
  /// A writing handle is lost with its connection: keeps what arrived, or not, as configured.
  void drop_writer(const OpenFlags& flags);

  /// Runs `work` behind everything that was called before, committed first.
  storage::Future<void> after_commit(std::function<void()> work);

  Attributes attributes();
  /// Whether this process knows more about the file than the database.
  bool ahead_of_database();
  /// Whether somebody may still write, or has.
  bool is_being_written();
  metadata::NodeId node();
  std::optional<metadata::VersionId> version();

  /// Another process may have committed: takes its content over, unless there are own changes. May
  /// wait for the database. False if the file does not have this node any more.
  bool catch_up(metadata::NodeId node);
  /// This process has made the entry, and not waited for the disk: sync and close have to.
  void created();
  /// Nothing if it may be ahead of the database; else what take_attributes() wants to know.
  std::optional<std::uint64_t> settled();
  /// Another process may have set attributes: takes those of a row that was read, unless this one
  /// has changed something since settled() said that number.
  void take_attributes(const metadata::Node& row, std::uint64_t settled);
  /// The same bytes may lie in other objects by now: looks where, when what was known is gone or
  /// soon will be. May wait for the database. False if nothing has moved.
  bool find_moved_bytes();
  /// Runs `remove_name`; afterwards the file has no name, and commits go nowhere. None happens
  /// meanwhile. When it throws, all is as before.
  void orphan(const std::function<void()>& remove_name);
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
  metadata::FileId file() const { return file_id_; }

 private:
  enum class Effect { none, changes_content };
  /// What a queued operation will do to the attributes.
  struct Expected {
    std::uint64_t write_end = 0;
    std::uint64_t appended = 0;
    AttributeChanges changes;
    void apply_to(Attributes& attributes) const;
  };
  enum class Completeness { complete, incomplete };
  enum class ReadStart { started, needs_cut };
  /// What a READ is answered from; valid while mutex_ is held.
  struct View {
    const Content& content;
    std::uint64_t size;
  };
  using Operation = OperationQueue::Operation;
  struct ReadJob;
  /// Edited and inline bytes on their way into a new object, one behind the other.
  struct Packing {
    struct Packed {
      std::uint64_t file_offset, length, object_offset;
    };
    std::vector<Piece> pieces;
    std::size_t next = 0;    ///< the piece that is being packed
    std::uint64_t done = 0;  ///< bytes of it
    std::shared_ptr<ObjectWriter> writer;
    std::uint64_t filled = 0;  ///< bytes in the object
    std::vector<Packed> packed;
  };
  struct StoredPiece {
    Stored place;
    std::uint64_t length = 0;
    std::uint64_t into = 0;  ///< in the answer
    std::shared_ptr<ObjectCheck> check{};
  };

  storage::Future<void> submit(Operation operation, Effect effect);
  /// As submit(); attributes() tells the effect already.
  storage::Future<void> submit(Operation operation, Effect effect, Expected expected);

  // Steps of operations, in operation order. `may_wait`: on a thread that may wait for the store.
  Step write_step(const OpenFlags& flags, std::uint64_t offset, const storage::Payload& bytes,
                  bool may_wait);
  Step stream_step(std::uint64_t offset, const storage::Payload& bytes, bool may_wait);
  Step resize_step(std::uint64_t size, bool may_wait);
  Step truncate_step(std::uint64_t size, bool may_wait);
  Step attributes_step(const AttributeChanges& changes, bool may_wait);
  bool may_stream(const OpenFlags& flags, std::uint64_t offset);
  void scratch_write_locked(std::uint64_t offset, std::span<const std::byte> bytes);
  void save_leftovers_locked(ObjectWriter& writer);
  void name_type_locked(std::span<const std::byte> head);
  void touch_locked();
  void cut_stream(bool final_one);
  void cut_stream_for_others();
  void end_stream(const std::shared_ptr<ObjectWriter>& writer, bool final_one);

  // After a crash: open_file_recovery.cpp.
  static std::int64_t new_upload_chain();
  ObjectWriter::Recovery recovery_locked(std::uint64_t offset) const;
  bool recoverable_behind_locked(std::uint64_t offset) const;
  void end_recovery();
  void end_recovery_of_orphan();

  // Reading: open_file_reading.cpp.
  ReadStart start_read(const std::shared_ptr<ReadJob>& job);
  void read_again(const std::shared_ptr<ReadJob>& job);
  View view_locked(AfterFailure after_failure) const;
  void fetch(ReadJob& job, const std::vector<StoredPiece>& wanted, std::uint64_t granularity);
  std::shared_ptr<ObjectCheck> check_locked(Reader& reader, const Stored& place);
  bool copy_local_locked(const Piece& piece, std::span<std::byte> into);

  std::uint64_t size();
  std::vector<Piece> stored_pieces(std::uint64_t offset, std::uint64_t length);
  bool is_published(const std::vector<Piece>& pieces);
  void adopt(const std::vector<Piece>& pieces, std::uint64_t from, std::uint64_t to);
  void copy_bytes(OpenFile& source, const std::vector<Piece>& pieces, std::uint64_t from,
                  std::uint64_t to);

  // Committing: open_file_commit.cpp. All may wait for the store and the database. What returns a
  // step may need memory: then it goes on when it is called again.
  Step commit(Completeness completeness);
  void store_stream();
  void publish_content(Completeness completeness);
  metadata::Publication publication_locked(Completeness completeness);
  std::optional<metadata::Sha256> whole_hash_locked(const metadata::Publication& publication);
  std::optional<metadata::PublishResult> publish_or_follow(metadata::Publication publication,
                                                           Completeness completeness);
  std::optional<metadata::PublishResult> publish(const metadata::Publication& publication);
  std::optional<metadata::PublishResult> find_published(const metadata::Publication& publication);
  void committed(const metadata::PublishResult& result, Completeness completeness);
  void make_entry_durable();
  void name_is_gone();
  bool find_moved_bytes_publishing();

  // Edited and inline bytes become a few extents: open_file_packing.cpp. As above.
  Step store_scratch();
  bool begin_packing();
  void inline_run_locked(const std::vector<Piece>& pieces);
  std::string local_bytes(const Piece& piece);
  Step pack_scratch();
  ObjectWriter::Result pack_some();
  void finish_packed();
  void give_up_packing() noexcept;
  void join_small_pieces(std::size_t wanted);
  Step fold();
  std::size_t pieces_before_fold() const;
  std::size_t pieces_max() const;

  void make_room_for_copy(std::uint64_t to);
  void end_incompleteness();
  void keep_prefix();
  bool nothing_to_commit();
  bool last_writer_left();
  void revert();
  bool settled_locked() const;
  void discard_finished();
  void throw_if_failed();
  void remember_failure();
  Attributes attributes_locked() const;

  FileSystem& files_;
  const metadata::AccountId account_;
  const metadata::FileId file_id_;
  const metadata::UserId user_;
  OperationQueue operations_;
  const std::uint64_t connections_seen_;  ///< the database's, when the entry was seen
  std::atomic<int> changes_queued_ = 0;   ///< operations that reads have to wait for

  std::unique_ptr<Packing> packing_;  ///< used by operations only
  bool edited_ = false;               ///< packed since pieces were joined; as above
  std::uint64_t join_allowance_ = 0;  ///< bytes that may be written again; as above
  std::mutex publish_mutex_;          ///< held while committed content and name are changed
  std::mutex mutex_;  ///< guards all below; held shortly, never while waiting for anything
  std::map<std::uint64_t, Expected> expected_;
  std::uint64_t next_expected_ = 0;
  metadata::Node node_;
  metadata::Time row_ctime_;  ///< of the row that node_ was last taken from
  std::uint64_t size_ = 0;
  Content content_;
  Content base_;
  std::uint64_t base_size_ = 0;
  std::string mime_;
  bool dirty_ = false;
  bool attributes_pending_ = false;
  bool orphaned_ = false;
  bool created_ = false;  ///< the entry may not be durable yet
  int writers_ = 0;
  std::shared_ptr<ObjectWriter> stream_;
  std::unique_ptr<ScratchFile> scratch_;
  std::size_t fold_at_;                  ///< this many pieces in content_ are made fewer
  std::vector<WrittenObject> finished_;  ///< stored, not published yet
  HashedPrefix hashed_;                  ///< what streamed from the beginning
  const std::int64_t upload_chain_;      ///< what uploads of this open file have in common
  /// Up to here a crash would leave the file whole.
  std::optional<std::uint64_t> recoverable_end_;
  /// Where a stream that was cut had its first gap; what arrived behind it is in the scratch file.
  std::optional<std::uint64_t> gap_;
  std::exception_ptr failure_;
};

/// Throws content_damaged if it is missing.
metadata::Version load_version(FileSystem& files, metadata::AccountId account,
                               metadata::VersionId id);

}  // namespace sftpd::vfs
