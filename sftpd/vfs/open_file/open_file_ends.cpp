// How writing ends: sync, close, lost connections, failures; and copying between files.

#include <algorithm>
#include <utility>

#include "sftpd/vfs/executor.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/open_file/open_file.h"
#include "sftpd/vfs/reading/reader.h"
#include "sftpd/vfs/writing/memory_pool.h"
#include "sftpd/vfs/writing/object_reserve.h"
#include "sftpd/vfs/writing/object_writer.h"

namespace sftpd::vfs {

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
  return !dirty_ && !attributes_pending_ && !failure_ && finished_.empty() && !created_;
}

storage::Future<void> OpenFile::sync() {
  return submit(
      [this](bool may_wait) {
        if (nothing_to_commit()) return Step::done;
        return may_wait ? commit(Completeness::complete) : Step::needs_thread;
      },
      Effect::none);
}

storage::Future<void> OpenFile::close_writer() {
  return submit(
      [this](bool may_wait) {
        end_incompleteness();
        if (!nothing_to_commit()) {
          if (!may_wait) return Step::needs_thread;
          try {
            if (commit(Completeness::complete) != Step::done) return Step::needs_memory;
          } catch (...) {
            if (last_writer_left()) revert();
            throw;
          }
        }
        last_writer_left();
        return Step::done;
      },
      Effect::none);
}

/// What a lost connection left is complete when somebody closes it, even unchanged.
void OpenFile::end_incompleteness() {
  std::lock_guard lock(mutex_);
  if (node_.incomplete && !orphaned_) dirty_ = true;
}

void OpenFile::drop_writer(const OpenFlags& flags) {
  const bool keep = files_.options().interrupted_uploads == FileSystem::InterruptedUploads::keep;
  (void)submit(
      [this, keep, upload = !flags.read](bool may_wait) {
        if (!nothing_to_commit()) {
          if (!may_wait) return Step::needs_thread;
          try {
            if (keep && upload) keep_prefix();
            if (keep && commit(Completeness::incomplete) != Step::done) return Step::needs_memory;
          } catch (...) {
            if (last_writer_left()) revert();
            throw;
          }
        }
        if (last_writer_left() && !keep) revert();
        return Step::done;
      },
      Effect::none);
}

/// What arrived of an upload behind a gap is no part of its prefix: whoever resumes goes on where
/// the file ends. It may lie in the stream's window or, once that was cut, in the scratch file.
void OpenFile::keep_prefix() {
  std::lock_guard lock(mutex_);
  if (writers_ > 1 || orphaned_ || (!gap_ && !stream_)) return;
  const std::uint64_t from = gap_ ? *gap_ : stream_->end();
  if (from >= size_) return;
  std::optional<std::uint64_t> end;
  for (const auto& piece : content_.pieces(from, size_ - from)) {
    const auto* streamed = std::get_if<Streamed>(&piece.source);
    if (std::holds_alternative<Zeros>(piece.source)) {
      if (!end) end = piece.offset;
    } else if (!(streamed && streamed->writer == stream_) &&
               !(gap_ && std::holds_alternative<Scratch>(piece.source))) {
      return;
    }
  }
  if (!end) return;
  content_.truncate(*end);
  size_ = *end;
}

storage::Future<void> OpenFile::after_commit(std::function<void()> work) {
  return submit(
      [this, work = std::move(work)](bool may_wait) {
        if (!nothing_to_commit()) {
          if (!may_wait) return Step::needs_thread;
          if (commit(Completeness::complete) != Step::done) return Step::needs_memory;
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
    recoverable_end_ = {};
    gap_ = {};
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

/// After all that has taken effect so far; attributes() counts what is still to come too.
std::uint64_t OpenFile::size() {
  std::lock_guard lock(mutex_);
  return size_;
}

storage::Future<void> OpenFile::copy_from(const std::shared_ptr<OpenFile>& source,
                                          std::uint64_t offset, std::uint64_t length,
                                          std::optional<std::uint64_t> target_offset) {
  auto pieces = std::make_shared<std::vector<Piece>>();
  auto shareable = std::make_shared<bool>(true);
  auto look = [file = source.get(), pieces, shareable, offset, length] {
    file->find_moved_bytes();  // They may have moved days ago, and nobody has read them since.
    *pieces = file->stored_pieces(offset, length);
    *shareable = file->is_published(*pieces);
  };
  auto adopt_step = [this, source, pieces, shareable, offset, target_offset](bool may_wait) {
    throw_if_failed();
    if (!may_wait) return Step::needs_thread;
    const std::uint64_t to = target_offset ? *target_offset : size();
    if (!pieces->empty()) {
      const Piece& last = pieces->back();
      expect_possible(to, last.offset + last.length - offset);
    }
    if (*shareable || source.get() == this) {
      adopt(*pieces, offset, to);
    } else {
      copy_bytes(*source, *pieces, offset, to);
    }
    return Step::done;
  };
  auto looked = source->after_commit(look);
  // No thread waits for it: it may itself wait for one, or for memory.
  looked.on_ready([source, &memory = files_.memory()] { memory.release(0); });
  return submit(
      [looked, adopt_step](bool may_wait) mutable {
        if (!looked.ready()) return Step::needs_memory;
        looked.get();
        return adopt_step(may_wait);
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

/// Whether other files may share what these pieces name. A removed file's changes never are.
bool OpenFile::is_published(const std::vector<Piece>& pieces) {
  std::lock_guard lock(mutex_);
  return std::all_of(pieces.begin(), pieces.end(), [this](const Piece& piece) {
    const auto* stored = std::get_if<Stored>(&piece.source);
    if (!stored) {
      return std::holds_alternative<Zeros>(piece.source) ||
             std::holds_alternative<Inline>(piece.source);
    }
    return std::none_of(finished_.begin(), finished_.end(), [stored](const WrittenObject& written) {
      return !written.duplicate && written.row.object == stored->object;
    });
  });
}

/// Reads and writes the bytes: for what cannot be shared.
void OpenFile::copy_bytes(OpenFile& source, const std::vector<Piece>& pieces, std::uint64_t from,
                          std::uint64_t to) {
  if (pieces.empty()) return;
  constexpr std::uint64_t chunk_max = std::uint64_t{1} << 20;
  make_room_for_copy(to);
  const auto reader = std::make_shared<Reader>(files_.cache());
  const std::uint64_t end = pieces.back().offset + pieces.back().length;
  for (std::uint64_t at = from; at < end;) {
    const auto length = static_cast<std::uint32_t>(std::min(chunk_max, end - at));
    const storage::Payload bytes = source.read(reader, at, length, AfterFailure::fails).get();
    if (bytes.empty()) return;
    std::lock_guard lock(mutex_);
    const std::uint64_t target = to + (at - from);
    scratch_write_locked(target, bytes.bytes());
    size_ = std::max(size_, target + bytes.size());
    touch_locked();
    at += bytes.size();
  }
}

void OpenFile::make_room_for_copy(std::uint64_t to) {
  bool spoils = false;
  {
    std::lock_guard lock(mutex_);
    spoils = recoverable_behind_locked(to);
  }
  if (spoils) end_recovery();
  cut_stream(false);
}

/// Takes over bytes of another file without moving them: extents share objects.
void OpenFile::adopt(const std::vector<Piece>& pieces, std::uint64_t from, std::uint64_t to) {
  make_room_for_copy(to);
  std::lock_guard lock(mutex_);
  if (content_.count() + pieces.size() > pieces_max()) {
    throw Error(ErrorCode::too_scattered, "the copy would be in too many pieces");
  }
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
