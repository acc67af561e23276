// Reading an open file: from its stream, its scratch file, inline bytes and stored objects.

#include <atomic>
#include <cstring>
#include <utility>

#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/open_file/open_file.h"
#include "sftpd/vfs/reading/block_cache.h"
#include "sftpd/vfs/reading/reader.h"
#include "sftpd/vfs/writing/object_writer.h"

namespace sftpd::vfs {

/// One READ on its way: bytes that were at hand, and segments that may still be coming.
struct OpenFile::ReadJob : std::enable_shared_from_this<ReadJob> {
  std::weak_ptr<OpenFile> file;
  std::shared_ptr<Reader> reader;
  std::uint64_t offset = 0;
  std::uint64_t wanted = 0;
  std::uint64_t length = 0;  ///< what there is of it
  AfterFailure after_failure = AfterFailure::fails;
  storage::Promise<storage::Payload> promise;

  struct Part {
    BlockCache::SegmentPtr segment;
    std::size_t from = 0;  ///< in the segment
    std::size_t length = 0;
    std::size_t into = 0;  ///< in the answer
  };
  std::vector<Part> parts;
  std::vector<std::shared_ptr<ObjectCheck>> checks;  ///< whose verdict it waits for
  std::vector<std::byte> buffer;  ///< the answer, unless one segment holds all of it
  std::atomic<std::size_t> missing = 0;
  bool again = false;  ///< the bytes were not where they had been: this is the second attempt

  void arrived() {
    if (--missing == 0) answer();
  }

  void answer() noexcept {
    try {
      for (const auto& check : checks) check->throw_if_damaged();
      if (buffer.empty() && parts.size() == 1) {
        promise.set_value(parts[0].segment->bytes().slice(parts[0].from, parts[0].length));
        return;
      }
      for (const auto& part : parts) {
        std::memcpy(buffer.data() + part.into, part.segment->bytes().data() + part.from,
                    part.length);
      }
      promise.set_value(storage::Payload(std::move(buffer)));
    } catch (const storage::Error& error) {
      const auto owner = error.code() == storage::ErrorCode::no_such_key ? file.lock() : nullptr;
      if (owner && !std::exchange(again, true)) return owner->read_again(shared_from_this());
      promise.set_exception(std::make_exception_ptr(as_vfs_error(std::current_exception())));
    } catch (...) {
      promise.set_exception(std::make_exception_ptr(as_vfs_error(std::current_exception())));
    }
  }
};

storage::Future<storage::Payload> OpenFile::read(const std::shared_ptr<Reader>& reader,
                                                 std::uint64_t offset, std::uint32_t length,
                                                 AfterFailure after_failure) {
  auto job = std::make_shared<ReadJob>();
  job->file = weak_from_this();
  job->reader = reader;
  job->offset = offset;
  job->wanted = length;
  job->after_failure = after_failure;
  auto future = job->promise.future();
  try {
    if (changes_queued_ == 0 && start_read(job) == ReadStart::started) return future;
  } catch (...) {
    job->promise.set_exception(std::make_exception_ptr(as_vfs_error(std::current_exception())));
    return future;
  }
  (void)submit(
      [this, job](bool may_wait) {
        try {
          while (start_read(job) == ReadStart::needs_cut) {
            if (!may_wait) return Step::needs_thread;
            cut_stream_for_others();
          }
        } catch (...) {
          job->promise.set_exception(
              std::make_exception_ptr(as_vfs_error(std::current_exception())));
        }
        return Step::done;
      },
      Effect::none);
  return future;
}

/// An object is gone when its bytes have moved to another one, and the time of dead objects is
/// over.
void OpenFile::read_again(const std::shared_ptr<ReadJob>& job) {
  (void)submit(
      [this, job](bool may_wait) {
        if (!may_wait) return Step::needs_thread;
        try {
          find_moved_bytes();
          while (start_read(job) == ReadStart::needs_cut) cut_stream_for_others();
        } catch (...) {
          job->promise.set_exception(
              std::make_exception_ptr(as_vfs_error(std::current_exception())));
        }
        return Step::done;
      },
      Effect::none);
}

/// Whoever writes too must not take old bytes for their own. A file without a name has more than is
/// committed that was acknowledged for good: its syncs go nowhere.
OpenFile::View OpenFile::view_locked(AfterFailure after_failure) const {
  if (!failure_) return {content_, size_};
  if (after_failure == AfterFailure::fails || orphaned_) std::rethrow_exception(failure_);
  return {base_, base_size_};
}

OpenFile::ReadStart OpenFile::start_read(const std::shared_ptr<ReadJob>& job) {
  std::vector<StoredPiece> wanted;
  std::vector<StoredPiece> ahead;
  Reader::Plan plan;
  {
    std::lock_guard lock(mutex_);
    const View view = view_locked(job->after_failure);
    if (job->offset >= view.size || job->wanted == 0) {
      job->promise.set_value(storage::Payload());
      return ReadStart::started;
    }
    job->length = std::min(job->wanted, view.size - job->offset);
    job->parts.clear();
    job->checks.clear();
    job->buffer.clear();  // Zeros, also when this is tried again.
    const auto pieces = view.content.pieces(job->offset, job->length);
    const bool direct = pieces.size() == 1 && std::holds_alternative<Stored>(pieces[0].source);
    if (!direct) job->buffer.resize(static_cast<std::size_t>(job->length));
    for (const auto& piece : pieces) {
      if (const auto* stored = std::get_if<Stored>(&piece.source)) {
        wanted.push_back({*stored, piece.length, piece.offset - job->offset,
                          check_locked(*job->reader, *stored)});
      } else if (!copy_local_locked(
                     piece, std::span(job->buffer)
                                .subspan(static_cast<std::size_t>(piece.offset - job->offset),
                                         static_cast<std::size_t>(piece.length)))) {
        return ReadStart::needs_cut;
      }
    }
    plan = job->reader->plan(job->offset, job->length, view.size);
    if (plan.ahead) {
      for (const auto& piece : view.content.pieces(plan.ahead->offset, plan.ahead->length)) {
        if (const auto* stored = std::get_if<Stored>(&piece.source)) {
          ahead.push_back({*stored, piece.length, 0, {}});
        }
      }
    }
  }
  fetch(*job, wanted, plan.granularity);
  auto& cache = files_.cache();
  for (const auto& piece : ahead) {
    cache.get({piece.place.object, *piece.place.key, piece.place.object_size},
              {piece.place.offset, piece.length}, plan.granularity);
  }
  // One is counted for ourselves, so that nobody answers before all have been asked.
  for (const auto& part : job->parts) {
    part.segment->when_ready([job] { job->arrived(); });
  }
  for (const auto& check : job->checks) {
    check->when_decided([job] { job->arrived(); });
  }
  job->arrived();
  return ReadStart::started;
}

void OpenFile::fetch(ReadJob& job, const std::vector<StoredPiece>& wanted,
                     std::uint64_t granularity) {
  for (const auto& piece : wanted) {
    if (piece.check) piece.check->throw_if_damaged();
    const std::uint64_t begin = piece.place.offset;
    const std::uint64_t end = begin + piece.length;
    const auto segments =
        files_.cache().get({piece.place.object, *piece.place.key, piece.place.object_size},
                           {begin, piece.length}, granularity);
    std::uint64_t at = begin;
    for (const auto& segment : segments) {
      const std::uint64_t stop = std::min(end, segment->offset + segment->length);
      job.parts.push_back({segment, static_cast<std::size_t>(at - segment->offset),
                           static_cast<std::size_t>(stop - at),
                           static_cast<std::size_t>(piece.into + (at - begin))});
      at = stop;
    }
    if (at < end) throw Error(ErrorCode::content_damaged, "an extent reaches beyond its object");
    if (!piece.check) continue;
    piece.check->offer(segments);
    if (piece.check->covers_all()) job.checks.push_back(piece.check);
  }
  if (job.parts.size() > 1 && job.buffer.empty()) {
    job.buffer.resize(static_cast<std::size_t>(job.length));
  }
  job.missing = job.parts.size() + job.checks.size() + 1;
}

std::shared_ptr<ObjectCheck> OpenFile::check_locked(Reader& reader, const Stored& place) {
  if (!files_.options().verify_reads) return nullptr;
  return reader.check_of(files_.object_checks(), place, account_, node_.id);
}

/// False if the bytes are on their way to the store.
bool OpenFile::copy_local_locked(const Piece& piece, std::span<std::byte> into) {
  if (const auto* inlined = std::get_if<Inline>(&piece.source)) {
    std::memcpy(into.data(), inlined->bytes->data() + inlined->offset, into.size());
  } else if (const auto* scratch = std::get_if<Scratch>(&piece.source)) {
    scratch_->read(scratch->offset, into);
  } else if (const auto* streamed = std::get_if<Streamed>(&piece.source)) {
    return streamed->writer->copy_out(streamed->offset, into);
  }
  return true;
}

void OpenFile::prefetch(std::uint64_t bytes_max) {
  std::vector<Piece> pieces;
  {
    std::lock_guard lock(mutex_);
    pieces = content_.pieces(0, std::min(size_, bytes_max));
  }
  for (const auto& piece : pieces) {
    const auto* stored = std::get_if<Stored>(&piece.source);
    if (!stored || !files_.cache().has_room(piece.length)) continue;
    files_.cache().get({stored->object, *stored->key, stored->object_size},
                       {stored->offset, piece.length}, std::max<std::uint64_t>(1, piece.length));
  }
}

}  // namespace sftpd::vfs
