#include "sftpd/vfs/open_file.h"

#include <algorithm>
#include <utility>

#include "metadata/database.h"
#include "metadata/repositories/uploads.h"
#include "sftpd/vfs/content_type.h"
#include "sftpd/vfs/executor.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/memory_pool.h"
#include "sftpd/vfs/object_writer.h"
#include "sftpd/vfs/open_files.h"
#include "sftpd/vfs/node_attributes.h"

namespace sftpd::vfs {

OpenFile::OpenFile(FileSystem& files, metadata::AccountId account, metadata::UserId user,
                   const metadata::Node& node, Content content, std::string mime)
    : files_(files),
      account_(account),
      user_(user),
      operations_(files.executor(), files.memory()),
      node_(node),
      size_(node.size),
      content_(content),
      base_(std::move(content)),
      base_size_(node.size),
      mime_(std::move(mime)) {}

OpenFile::~OpenFile() {
  if (stream_) stream_->abandon();
  discard_finished();
}

storage::Future<void> OpenFile::submit(Operation operation, Effect effect) {
  const bool changes = effect == Effect::changes_content;
  if (changes) ++changes_queued_;
  auto tracked = [this, changes, operation = std::move(operation)](bool may_wait) {
    try {
      const Step step = operation(may_wait);
      if (step == Step::done && changes) --changes_queued_;
      return step;
    } catch (...) {
      if (changes) --changes_queued_;
      throw as_vfs_error(std::current_exception());
    }
  };
  return operations_.submit(shared_from_this(), std::move(tracked));
}

// --- Writing -----------------------------------------------------------------------------------

storage::Future<void> OpenFile::write(const OpenFlags& flags, std::uint64_t offset,
                                      storage::Payload bytes) {
  return submit(
      [this, flags, offset, bytes = std::move(bytes)](bool may_wait) {
        try {
          return write_step(flags, offset, bytes, may_wait);
        } catch (...) {
          remember_failure();
          throw;
        }
      },
      Effect::changes_content);
}

Step OpenFile::write_step(const OpenFlags& flags, std::uint64_t offset,
                          const storage::Payload& bytes, bool may_wait) {
  throw_if_failed();
  if (bytes.empty()) return Step::done;
  bool streams = false;
  {
    std::lock_guard lock(mutex_);
    if (flags.append) offset = size_;
    streams = stream_ && stream_->accepts(offset, bytes.size());
    if (!streams && !may_stream(flags, offset)) {
      scratch_write_locked(offset, bytes.bytes());
      size_ = std::max(size_, offset + bytes.size());
      touch_locked();
      return Step::done;
    }
  }
  return stream_step(offset, bytes, may_wait);
}

/// Whether an object should be started here: for what is written from the beginning or at the end.
/// Handles that also read get one only for a file that they fill.
bool OpenFile::may_stream(const OpenFlags& flags, std::uint64_t offset) {
  const bool at_end = offset == size_;
  if (flags.read) return at_end && (size_ == 0 || stream_);
  return at_end || offset == 0;
}

Step OpenFile::stream_step(std::uint64_t offset, const storage::Payload& bytes, bool may_wait) {
  for (;;) {
    bool fits = false;
    {
      std::lock_guard lock(mutex_);
      if (!stream_) {
        stream_ = std::make_shared<ObjectWriter>(files_, account_, node_.id, user_, offset);
      }
      fits = stream_->accepts(offset, bytes.size());
    }
    if (fits) {
      const auto result = stream_->write(offset, bytes.bytes());
      if (result == ObjectWriter::Result::taken) break;
      if (result == ObjectWriter::Result::wait) {
        files_.open_files().relieve_pressure(*this);
        return Step::needs_memory;
      }
    }
    if (!may_wait) return Step::needs_thread;
    cut_stream(false);
  }
  std::lock_guard lock(mutex_);
  content_.assign(offset, bytes.size(), Streamed{stream_, offset - stream_->file_offset()});
  size_ = std::max(size_, offset + bytes.size());
  touch_locked();
  return Step::done;
}

void OpenFile::scratch_write_locked(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (!scratch_) scratch_ = std::make_unique<ScratchFile>(files_.options().scratch_directory);
  scratch_->write(offset, bytes);
  content_.assign(offset, bytes.size(), Scratch{offset});
}

void OpenFile::touch_locked() {
  dirty_ = true;
  times_set_ = false;
  node_.mtime = node_.ctime = now();
}

/// Finishes the object that streams. What arrived behind a gap moves to the scratch file.
void OpenFile::cut_stream(bool final_one) {
  std::shared_ptr<ObjectWriter> writer;
  {
    std::lock_guard lock(mutex_);
    writer = stream_;
    if (!writer) return;
    save_leftovers_locked(*writer);
    if (writer->file_offset() == 0) mime_ = files_.content_type().detect(writer->head());
    if (writer->end() == writer->file_offset()) {
      writer->abandon();
      stream_ = nullptr;
      return;
    }
  }
  WrittenObject written = writer->finish(mime_);
  if (!final_one && !written.duplicate && !written.upload_row) {
    // So that the received prefix survives this process.
    files_.database().transact(
        [&](metadata::Transaction& tx) {
          metadata::Uploads(tx).begin(account_, written.row.object, node(), user_, "",
                                      writer->file_offset());
        },
        metadata::Durability::later);
    written.upload_row = true;
  }
  std::lock_guard lock(mutex_);
  content_.replace(writer.get(), Stored{written.row.object,
                                        std::make_shared<const std::string>(written.key),
                                        written.row.size, 0});
  finished_.push_back(std::move(written));
  stream_ = nullptr;
}

void OpenFile::save_leftovers_locked(ObjectWriter& writer) {
  for (const auto& leftover : writer.take_leftovers()) {
    const std::uint64_t begin = writer.file_offset() + leftover.offset;
    for (const auto& piece : content_.pieces(begin, leftover.bytes.size())) {
      const auto* streamed = std::get_if<Streamed>(&piece.source);
      if (!streamed || streamed->writer.get() != &writer) continue;
      scratch_write_locked(piece.offset,
                           std::span(leftover.bytes)
                               .subspan(static_cast<std::size_t>(piece.offset - begin),
                                        static_cast<std::size_t>(piece.length)));
    }
  }
}

void OpenFile::relieve() {
  (void)submit(
      [this](bool may_wait) {
        if (!may_wait) return Step::needs_thread;
        try {
          cut_stream(false);
        } catch (...) {
          remember_failure();
        }
        files_.memory().release(0);  // Whoever waits looks again, whatever came of it.
        return Step::done;
      },
      Effect::none);
}

std::size_t OpenFile::buffered() {
  std::lock_guard lock(mutex_);
  return stream_ ? stream_->held() : 0;
}

// --- Attributes --------------------------------------------------------------------------------

storage::Future<void> OpenFile::set_attributes(const AttributeChanges& changes) {
  return submit(
      [this, changes](bool may_wait) { return attributes_step(changes, may_wait); },
      changes.size ? Effect::changes_content : Effect::none);
}

Step OpenFile::truncate_step(std::uint64_t size, bool may_wait) {
  throw_if_failed();
  {
    std::lock_guard lock(mutex_);
    if (size == size_) return Step::done;
    if (!stream_ || size >= stream_->end()) {
      content_.truncate(size);
      size_ = size;
      touch_locked();
      return Step::done;
    }
    if (size <= stream_->file_offset()) {
      content_.truncate(size);
      stream_->abandon();
      stream_ = nullptr;
      size_ = size;
      touch_locked();
      return Step::done;
    }
  }
  if (!may_wait) return Step::needs_thread;
  cut_stream(false);
  return truncate_step(size, may_wait);
}

Step OpenFile::attributes_step(const AttributeChanges& changes, bool may_wait) {
  if (changes.size) {
    const Step step = truncate_step(*changes.size, may_wait);
    if (step != Step::done) return step;
  }
  metadata::NodeChanges row;
  metadata::NodeId id;
  {
    std::lock_guard lock(mutex_);
    row = row_changes(node_, changes);
    if (row.mode) node_.mode = *row.mode;
    if (row.atime) node_.atime = *row.atime;
    if (row.mtime) {
      node_.mtime = *row.mtime;
      times_set_ = true;
    }
    if (orphaned_) return Step::done;
    if (dirty_) {
      // They travel with the commit, or would be lost by it; the mode too, one round trip less.
      attributes_pending_ = true;
      return Step::done;
    }
    id = node_.id;
  }
  if (!row.mode && !row.atime && !row.mtime) return Step::done;
  files_.database().transact(
      [&](metadata::Transaction& tx) { metadata::Nodes(tx).change(account_, id, row); });
  return Step::done;
}

Attributes OpenFile::attributes() {
  std::lock_guard lock(mutex_);
  Attributes attributes = attributes_of(node_);
  attributes.size = size_;
  return attributes;
}

bool OpenFile::ahead_of_database() {
  std::lock_guard lock(mutex_);
  return (dirty_ || attributes_pending_) && !orphaned_;
}

metadata::NodeId OpenFile::node() {
  std::lock_guard lock(mutex_);
  return node_.id;
}

std::optional<metadata::VersionId> OpenFile::version() {
  std::lock_guard lock(mutex_);
  return node_.version;
}

void OpenFile::refresh(const metadata::Node& node, Content content, std::string mime) {
  std::lock_guard lock(mutex_);
  if (dirty_ || stream_ || orphaned_) return;
  node_ = node;
  size_ = base_size_ = node.size;
  content_ = content;
  base_ = std::move(content);
  mime_ = std::move(mime);
}

void OpenFile::set_orphaned(bool orphaned) {
  std::lock_guard lock(mutex_);
  orphaned_ = orphaned;
}

void OpenFile::move_to_node(metadata::NodeId node) {
  std::lock_guard lock(mutex_);
  node_.id = node;
}

// --- Ends --------------------------------------------------------------------------------------

void OpenFile::writer_came() {
  std::lock_guard lock(mutex_);
  ++writers_;
}

bool OpenFile::last_writer_left() {
  std::lock_guard lock(mutex_);
  return --writers_ == 0;
}

bool OpenFile::nothing_to_commit() {
  std::lock_guard lock(mutex_);
  return !dirty_ && !attributes_pending_ && !failure_ && finished_.empty();
}

storage::Future<void> OpenFile::sync() {
  return submit(
      [this](bool may_wait) {
        if (nothing_to_commit()) return Step::done;
        if (!may_wait) return Step::needs_thread;
        commit(Completeness::complete);
        return Step::done;
      },
      Effect::none);
}

storage::Future<void> OpenFile::close_writer() {
  return submit(
      [this](bool may_wait) {
        if (nothing_to_commit()) {
          last_writer_left();
          return Step::done;
        }
        if (!may_wait) return Step::needs_thread;
        try {
          commit(Completeness::complete);
        } catch (...) {
          if (last_writer_left()) revert();
          throw;
        }
        last_writer_left();
        return Step::done;
      },
      Effect::none);
}

void OpenFile::drop_writer() {
  (void)submit(
      [this](bool may_wait) {
        if (nothing_to_commit()) {
          last_writer_left();
          return Step::done;
        }
        if (!may_wait) return Step::needs_thread;
        const bool last = last_writer_left();
        const bool keep =
            files_.options().interrupted_uploads == FileSystem::InterruptedUploads::keep;
        try {
          if (keep) commit(Completeness::incomplete);
        } catch (...) {
          if (last) revert();
          throw;
        }
        if (!keep && last) revert();
        return Step::done;
      },
      Effect::none);
}

storage::Future<void> OpenFile::after_commit(std::function<void()> work) {
  return submit(
      [this, work = std::move(work)](bool may_wait) {
        if (!nothing_to_commit()) {
          if (!may_wait) return Step::needs_thread;
          commit(Completeness::complete);
        }
        work();
        return Step::done;
      },
      Effect::none);
}

void OpenFile::throw_if_failed() {
  std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

void OpenFile::remember_failure() {
  const auto failure = std::make_exception_ptr(as_vfs_error(std::current_exception()));
  std::lock_guard lock(mutex_);
  if (!failure_) failure_ = failure;
}

/// Back to the content that is committed.
void OpenFile::revert() {
  {
    std::lock_guard lock(mutex_);
    if (stream_) stream_->abandon();
    stream_ = nullptr;
    content_ = base_;
    size_ = base_size_;
    dirty_ = false;
    attributes_pending_ = false;
    failure_ = nullptr;
    scratch_ = nullptr;
  }
  discard_finished();
}

void OpenFile::discard_finished() {
  std::vector<WrittenObject> finished;
  {
    std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  for (const auto& written : finished) {
    if (written.duplicate) continue;
    files_.executor().submit([&files = files_, account = account_, id = written.row.object] {
      files.objects().discard(account, id);
    });
  }
}

// --- Copying -----------------------------------------------------------------------------------

storage::Future<void> OpenFile::copy_from(const std::shared_ptr<OpenFile>& source,
                                          std::uint64_t offset, std::uint64_t length,
                                          std::uint64_t target_offset) {
  const bool same = source.get() == this;
  auto ready = same ? storage::ready_future() : source->sync();
  return submit(
      [this, source, same, ready, offset, length, target_offset](bool may_wait) mutable {
        if (!may_wait) return Step::needs_thread;
        if (same) {
          commit(Completeness::complete);
        } else if (ready.valid()) {
          std::exchange(ready, {}).get();
        }
        throw_if_failed();
        adopt(source->stored_pieces(offset, length), offset, target_offset);
        return Step::done;
      },
      Effect::changes_content);
}

/// What lies in the range, after a sync; `length` 0 means to the end.
std::vector<Piece> OpenFile::stored_pieces(std::uint64_t offset, std::uint64_t length) {
  std::lock_guard lock(mutex_);
  if (offset >= size_) return {};
  const std::uint64_t rest = size_ - offset;
  return content_.pieces(offset, length == 0 ? rest : std::min(length, rest));
}

/// Takes over bytes of another file without moving them: extents share objects.
void OpenFile::adopt(const std::vector<Piece>& pieces, std::uint64_t from, std::uint64_t to) {
  cut_stream(false);
  std::lock_guard lock(mutex_);
  for (const auto& piece : pieces) {
    const std::uint64_t at = to + (piece.offset - from);
    if (std::holds_alternative<Zeros>(piece.source)) {
      // A gap in the source has to hide what the target had there.
      content_.erase(at, piece.length);
    } else {
      content_.assign(at, piece.length, piece.source);
    }
    size_ = std::max(size_, at + piece.length);
  }
  if (!pieces.empty()) touch_locked();
}

}  // namespace sftpd::vfs
