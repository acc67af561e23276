#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sftpd/vfs/attributes.h"
#include "sftpd/vfs/error.h"
#include "storage/future.h"
#include "storage/payload.h"

namespace sftpd::vfs {

class FileSystem;
class OpenFile;
class Reader;

/// How a file is opened: the flags of SSH_FXP_OPEN.
struct OpenFlags {
  bool read = false;
  bool write = false;
  bool append = false;     ///< every write goes to the end, whatever its offset
  bool create = false;     ///< make it if it is missing
  bool truncate = false;   ///< empty it
  bool exclusive = false;  ///< with create: fail if it exists
};

/// What one file transferred while it was open, for the log.
struct TransferTotals {
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
};

/// One client's open file. All handles of one file in this process share one OpenFile.
///
/// Used by the connection's thread. Effects happen in the order of the calls: a call whose future
/// is not ready holds back the later calls on this file that depend on it, and no other. Futures
/// throw vfs::Error only; they are completed from other threads. Destroying a handle without
/// close() is a lost connection: what was received is kept, in the background.
class FileHandle {
 public:
  FileHandle(FileSystem& files, std::shared_ptr<OpenFile> file, OpenFlags flags, std::string path);
  ~FileHandle();
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;

  /// Up to `length` bytes from `offset`; fewer only at the end of the file, none at or past it.
  /// The caller bounds `length`. After a failed write of any handle of the file, those opened only
  /// for reading get the committed content, the others the failure.
  storage::Future<storage::Payload> read(std::uint64_t offset, std::uint32_t length);

  /// Ready at once unless memory for transfers is short or an earlier call is under way; then the
  /// file keeps `bytes` until it can take them, and the caller stops sending more. A failed write
  /// is repeated as the result of every later write, of sync() and of close().
  storage::Future<void> write(std::uint64_t offset, storage::Payload bytes);

  Attributes attributes();
  /// Size changes take effect in order with writes; times survive close().
  storage::Future<void> set_attributes(const AttributeChanges& changes);

  /// Ready when everything written before is committed: stored in the object store and in the
  /// database. The handle goes on.
  storage::Future<void> sync();

  /// As sync(), and ends the handle. Handles opened only for reading are closed at once.
  storage::Future<void> close();

  /// Copies `length` bytes (0: to the end) to another handle, in the store where it can. To the end
  /// of a target that was opened for appending.
  storage::Future<void> copy_to(std::uint64_t offset, std::uint64_t length, FileHandle& target,
                                std::uint64_t target_offset);

  const OpenFlags& flags() const { return flags_; }
  /// The path it was opened by, for the log.
  const std::string& path() const { return path_; }
  TransferTotals totals() const { return totals_; }

 private:
  std::shared_ptr<OpenFile> file_;
  std::shared_ptr<Reader> reader_;  ///< if open for reading
  OpenFlags flags_;
  std::string path_;
  TransferTotals totals_;
  bool closed_ = false;
};

}  // namespace sftpd::vfs
