#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "metadata/ids.h"
#include "metadata/repositories/versions.h"
#include "sftpd/vfs/content/hash.h"
#include "sftpd/vfs/writing/memory_pool.h"
#include "sftpd/vfs/writing/object_reserve.h"
#include "sftpd/vfs/writing/part_buffer.h"
#include "storage/object_store.h"

namespace sftpd::vfs {

class FileSystem;

/// What an ObjectWriter stored.
struct WrittenObject {
  metadata::FinishedObject row;
  std::string key;
  bool duplicate = false;   ///< the account had these bytes: `row` is that live object, none is new
  bool upload_row = false;  ///< `uploads` has a row for it, which ends when it is published
  /// Of what ObjectWriter was told stands before it, and its own bytes; none: they were not hashed.
  std::optional<Sha256Hasher> hash{};
};

/// Bytes that arrived behind a gap, at their place in the object.
struct LeftoverBytes {
  std::uint64_t offset = 0;
  std::vector<std::byte> bytes;
};

/// Streams a run of a file's bytes into one new object (design, section 4).
///
/// Bytes are accepted in any order inside a window of part buffers; a full part is hashed and sent
/// by the executor while the next ones fill. Nothing is sent before a part is full, so an object
/// that fits one part becomes a plain PUT. Writing calls come one at a time, in the open file's
/// order; the const ones from any thread. Held by shared_ptr.
class ObjectWriter : public std::enable_shared_from_this<ObjectWriter> {
 public:
  /// Whether what was sent can become the file after a crash: only if all before `file_offset` can.
  enum class Recovery { possible, impossible };

  /// `file_offset` is where the object's first byte lies in the file; `chain` what the objects of
  /// one open file have in common, `base` the version it began from (metadata::UploadRow). `before`
  /// has hashed what stands before it, and goes on: then an object of several parts has no hash of
  /// its own.
  ObjectWriter(FileSystem& files, metadata::AccountId account, metadata::NodeId node,
               metadata::FileId file, metadata::UserId user, std::uint64_t file_offset,
               Recovery recovery, std::int64_t chain = 0,
               std::optional<metadata::VersionId> base = {},
               std::optional<Sha256Hasher> before = {});
  ~ObjectWriter();

  std::uint64_t file_offset() const { return file_offset_; }
  Recovery recovery() const { return recovery_; }
  std::optional<metadata::VersionId> base() const { return base_; }
  /// Where the contiguous bytes received so far end, in the file.
  std::uint64_t end() const;

  /// What was sent is not to be found after a crash any more. Waits for the database.
  void end_recovery();

  /// Whether bytes at this place of the file may be written to it: not behind what was sent
  /// already, not too far ahead.
  bool accepts(std::uint64_t offset, std::size_t length) const;

  enum class Result {
    taken,
    busy,  ///< parts under way will make room: again after the pool's next release
    wait,  ///< no memory and none held: the same, and others may be asked for theirs
    cut    ///< no memory, and nothing under way that will free some: finish this object first
  };
  /// Copies the bytes, all or none. Throws what the store failed with.
  Result write(std::uint64_t offset, std::span<const std::byte> bytes);

  /// Copies buffered bytes out; false if some of them were sent already.
  bool copy_out(std::uint64_t object_offset, std::span<std::byte> into) const;

  /// The object's first bytes, for naming the content's type.
  std::vector<std::byte> head() const;

  /// The whole object if nothing of it was sent yet and it is at most `max` bytes up to the first
  /// gap. Afterwards the writer is over.
  std::optional<std::vector<std::byte>> take_small(std::size_t max);

  /// Takes what lies behind the first gap: it cannot become part of the object.
  std::vector<LeftoverBytes> take_leftovers();

  /// Sends the rest and makes the object. Waits for the store. Throws storage::Error,
  /// metadata::Error; afterwards the writer is over.
  WrittenObject finish(const std::string& mime);

  /// Bytes of memory it holds.
  std::size_t held() const { return share_.held(); }

  /// Gives up: the collector removes what was sent. Does not wait.
  void abandon() noexcept;

 private:
  struct Part {
    int number = 1;
    std::uint64_t offset = 0;  ///< in the object
    std::size_t target = 0;    ///< its size when full
    PartBuffer buffer;
  };
  /// What is on its way to the store. Its memory is given back when it goes.
  struct Shipment;

  std::size_t part_target(int number) const;
  bool has_numbers_left() const;
  bool ensure_window(std::uint64_t begin, std::uint64_t end);
  Result no_memory();
  bool reserve_for(std::uint64_t begin, std::uint64_t end);
  void ship_front(std::size_t length);
  void ship_queued() noexcept;
  void send(std::shared_ptr<Shipment> shipment);
  void add_to_checksums(std::span<const std::byte> bytes);
  std::string type_of(std::span<const std::byte> first_part) const;
  void note_upload();
  void part_done(Shipment& shipment, storage::Future<storage::ETag> answer);
  void fail(std::exception_ptr failure);
  void discard_when_idle() noexcept;
  void free_window();
  std::vector<std::byte> head_locked() const;
  void wait_for_shipments();
  bool ship_rest(Shipment& whole);
  WrittenObject put_whole(std::shared_ptr<Shipment> body, const std::string& mime);
  WrittenObject end_with(WrittenObject written);
  WrittenObject complete(const std::string& mime);
  std::optional<WrittenObject> find_duplicate(const metadata::Sha256& sha256, std::uint64_t size);
  storage::PutOptions put_options(const std::string& mime) const;

  FileSystem& files_;
  const metadata::AccountId account_;
  const metadata::NodeId node_;
  const metadata::FileId file_;
  const metadata::UserId user_;
  const std::uint64_t file_offset_;
  const std::int64_t chain_;
  const std::optional<metadata::VersionId> base_;
  std::atomic<Recovery> recovery_;
  std::mutex row_mutex_;  ///< held while the row of `uploads` comes or goes
  bool upload_row_ = false;
  MemoryPool::Share share_;

  mutable std::mutex window_mutex_;  ///< taken before mutex_ where both are
  std::deque<Part> window_;          ///< parts being filled; front() is the next to be sent
  std::uint64_t sent_ = 0;           ///< bytes handed over to be sent
  int next_number_ = 1;
  std::vector<std::byte> sent_head_;  ///< once the first part is sent

  mutable std::mutex mutex_;  ///< guards what the executor and the store's threads share
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Shipment>> queued_;
  bool shipping_ = false;  ///< somebody runs ship_queued()
  int under_way_ = 0;      ///< parts queued or being sent
  std::vector<storage::CompletedPart> done_;
  std::exception_ptr failure_;
  std::atomic<bool> over_ = false;
  bool abandoned_ = false;
  bool discarded_ = false;

  // Used by whoever runs ship_queued(), one at a time.
  std::optional<ReservedObject> object_;
  std::optional<storage::UploadId> upload_;
  const bool continues_;  ///< hash_ began before this object
  Sha256Hasher hash_;
  std::uint32_t crc_ = 0;  ///< of the object's bytes
};

}  // namespace sftpd::vfs
