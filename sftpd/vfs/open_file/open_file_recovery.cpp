// What a crash would keep of bytes that are not committed.

#include <algorithm>
#include <random>

#include "metadata/database.h"
#include "metadata/repositories/uploads.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/open_file/open_file.h"
#include "sftpd/vfs/writing/object_writer.h"

namespace sftpd::vfs {

std::int64_t OpenFile::new_upload_chain() {
  thread_local std::mt19937_64 random{(std::uint64_t{std::random_device{}()} << 32) +
                                      std::random_device{}()};
  return std::uniform_int_distribution<std::int64_t>(1)(random);
}

/// After a crash only what follows committed or received bytes can become the file, or what begins
/// an empty one.
ObjectWriter::Recovery OpenFile::recovery_locked(std::uint64_t offset) const {
  if (orphaned_) return ObjectWriter::Recovery::impossible;
  const bool begins = offset == 0 && size_ == 0;
  const bool possible =
      begins || offset == recoverable_end_ || (!dirty_ && offset == base_size_ && offset == size_);
  return possible ? ObjectWriter::Recovery::possible : ObjectWriter::Recovery::impossible;
}

/// Whether a crash would keep, from here on, what is not committed.
bool OpenFile::recoverable_behind_locked(std::uint64_t offset) const {
  const bool in_stream =
      stream_ && offset < stream_->end() && stream_->recovery() == ObjectWriter::Recovery::possible;
  return in_stream || (recoverable_end_ && offset < *recoverable_end_);
}

/// What was received is written over. Whoever resumes after a crash goes on where the file ends, so
/// all before must be what was last written there: the old content has to do. Waits for the
/// database.
void OpenFile::end_recovery() {
  std::shared_ptr<ObjectWriter> stream;
  std::vector<metadata::ObjectId> objects;
  {
    std::lock_guard lock(mutex_);
    stream = stream_;
    for (const auto& written : finished_) {
      if (written.upload_row) objects.push_back(written.row.object);
    }
  }
  if (stream) stream->end_recovery();
  if (!objects.empty()) {
    files_.database().transact_repeatable(
        [&](metadata::Transaction& tx) {
          for (const auto object : objects) metadata::Uploads(tx).end(account_, object);
        },
        metadata::Durability::later);
  }
  std::lock_guard lock(mutex_);
  recoverable_end_ = {};
  for (auto& written : finished_) {
    if (std::ranges::find(objects, written.row.object) != objects.end()) written.upload_row = false;
  }
}

/// The node may have another file's content by now, and where neither was ever committed nothing
/// tells that from its own. The name is gone in any case: the database may be away again.
void OpenFile::end_recovery_of_orphan() try { end_recovery(); } catch (const std::exception&) {
}

}  // namespace sftpd::vfs
