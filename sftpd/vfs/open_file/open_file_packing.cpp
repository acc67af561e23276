// Before a commit: edited and inline bytes become a few extents, and too many extents become fewer.

#include <algorithm>
#include <utility>

#include "sftpd/log/log.h"
#include "sftpd/vfs/content/content_type.h"
#include "sftpd/vfs/content/crowded_runs.h"
#include "sftpd/vfs/error.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/open_file/open_file.h"
#include "sftpd/vfs/open_file/open_files.h"
#include "sftpd/vfs/writing/memory_pool.h"
#include "sftpd/vfs/writing/object_rewriter.h"
#include "sftpd/vfs/writing/object_writer.h"

namespace sftpd::vfs {

namespace {

/// More runs of inline bytes than this become an object: each is a row that every later open reads.
constexpr std::size_t inline_runs_max = 32;
constexpr std::size_t pack_chunk = std::size_t{1} << 20;
/// Pieces of this length are few in any file, and stay as they are.
constexpr std::uint64_t large_piece = std::uint64_t{64} << 20;
/// What one commit joins at most of what earlier ones left: somebody waits for it.
constexpr std::uint64_t joined_max = 2 * large_piece;
/// Of its own, whatever was edited: less than a moment's work.
constexpr std::uint64_t joined_min = std::uint64_t{4} << 20;
/// And for each byte that was edited: who writes pages of 4 KiB here and there gets the space
/// between them written again if they are about 32 KiB apart.
constexpr std::uint64_t joined_per_edited = 8;
/// Of `extents_max`: 17 MB of memory for an open file, and a commit of a second or two.
constexpr std::size_t fold_factor = 64;
constexpr std::size_t pieces_factor = 256;

bool is_in_memory_or_scratch(const Piece& piece) {
  return std::holds_alternative<Scratch>(piece.source) ||
         std::holds_alternative<Inline>(piece.source);
}

std::uint64_t end_of(const Piece& piece) { return piece.offset + piece.length; }

/// Pieces that follow each other without a gap.
std::vector<std::vector<Piece>> runs_of(const std::vector<Piece>& pieces) {
  std::vector<std::vector<Piece>> runs;
  for (const Piece& piece : pieces) {
    if (runs.empty() || end_of(runs.back().back()) != piece.offset) runs.emplace_back();
    runs.back().push_back(piece);
  }
  return runs;
}

}  // namespace

Step OpenFile::store_scratch() {
  if (!packing_ && !begin_packing()) return Step::done;
  return pack_scratch();
}

/// False if nothing needs an object: no edits and few inline bytes, or so few of both that all of
/// them become inline bytes. So a version never has more than `inline_max` of those: each commit
/// writes them again.
bool OpenFile::begin_packing() {
  auto packing = std::make_unique<Packing>();
  auto& pieces = packing->pieces;
  std::uint64_t total = 0;
  std::lock_guard lock(mutex_);
  for (auto& piece : content_.all()) {
    if (!is_in_memory_or_scratch(piece)) continue;
    total += piece.length;
    pieces.push_back(std::move(piece));
  }
  if (pieces.empty()) return false;
  const Piece& first = pieces.front();
  if (first.offset == 0 && std::holds_alternative<Scratch>(first.source)) {
    std::vector<std::byte> head(
        static_cast<std::size_t>(std::min<std::uint64_t>(ContentType::head_size, first.length)));
    scratch_->read(0, head);
    name_type_locked(head);
  }
  const auto runs = runs_of(pieces);
  if (total <= files_.inline_max() && runs.size() <= inline_runs_max) {
    for (const auto& run : runs) inline_run_locked(run);
    return false;
  }
  packing_ = std::move(packing);
  return true;
}

void OpenFile::inline_run_locked(const std::vector<Piece>& pieces) {
  if (pieces.size() == 1 && std::holds_alternative<Inline>(pieces.front().source)) return;
  auto bytes = std::make_shared<std::string>();
  for (const Piece& piece : pieces) *bytes += local_bytes(piece);
  const std::uint64_t length = bytes->size();
  content_.assign(pieces.front().offset, length, Inline{std::move(bytes), 0});
}

/// Of a Scratch or Inline piece. Only operations, of which this is one, change the scratch file.
std::string OpenFile::local_bytes(const Piece& piece) {
  if (const auto* inlined = std::get_if<Inline>(&piece.source)) {
    return inlined->bytes->substr(static_cast<std::size_t>(inlined->offset),
                                  static_cast<std::size_t>(piece.length));
  }
  std::string bytes(static_cast<std::size_t>(piece.length), '\0');
  scratch_->read(std::get<Scratch>(piece.source).offset, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

Step OpenFile::pack_scratch() {
  auto& packing = *packing_;
  while (packing.next < packing.pieces.size()) {
    switch (pack_some()) {
      case ObjectWriter::Result::taken:
        break;
      case ObjectWriter::Result::cut:
        finish_packed();
        break;
      case ObjectWriter::Result::busy:
        return Step::needs_memory;
      case ObjectWriter::Result::wait:
        files_.open_files().relieve_pressure(*this);
        return Step::needs_memory;
    }
  }
  finish_packed();
  packing_ = nullptr;
  return Step::done;
}

ObjectWriter::Result OpenFile::pack_some() {
  auto& packing = *packing_;
  const Piece& piece = packing.pieces[packing.next];
  const std::uint64_t length = std::min<std::uint64_t>(pack_chunk, piece.length - packing.done);
  const Piece part{piece.offset + packing.done, length, advanced(piece.source, packing.done)};
  const std::string chunk = local_bytes(part);
  if (!packing.writer) {
    packing.writer = std::make_shared<ObjectWriter>(files_, account_, node(), file_id_, user_, 0,
                                                    ObjectWriter::Recovery::impossible);
  }
  if (!packing.writer->accepts(packing.filled, chunk.size())) return ObjectWriter::Result::cut;
  const auto result = packing.writer->write(packing.filled, std::as_bytes(std::span(chunk)));
  if (result != ObjectWriter::Result::taken) return result;
  packing.packed.push_back({part.offset, length, packing.filled});
  packing.filled += length;
  packing.done += length;
  if (packing.done == piece.length) {
    ++packing.next;
    packing.done = 0;
  }
  return result;
}

void OpenFile::finish_packed() {
  auto& packing = *packing_;
  WrittenObject written = packing.writer->finish(mime_);
  std::lock_guard lock(mutex_);
  const auto key = std::make_shared<const std::string>(written.key);
  const auto checksums = shared_checksums(written.row);
  for (const auto& place : packing.packed) {
    content_.assign(
        place.file_offset, place.length,
        Stored{written.row.object, key, written.row.size, place.object_offset, checksums});
  }
  finished_.push_back(std::move(written));
  edited_ = true;
  join_allowance_ += packing.filled * joined_per_edited;
  packing.packed.clear();
  packing.writer = nullptr;
  packing.filled = 0;
}

void OpenFile::give_up_packing() noexcept {
  if (packing_ && packing_->writer) packing_->writer->abandon();
  packing_ = nullptr;
}

// --- Too many extents --------------------------------------------------------------------------

/// Where there are more than twice as many as wanted, so that the next commits need not. Each
/// commit writes all extents anew, and each open reads them. What joining costs is shared by the
/// many commits that made them, or is in proportion to the edits of this one. Those of an upload
/// are left to a job.
void OpenFile::join_small_pieces(std::size_t wanted) {
  std::vector<std::vector<Piece>> runs;
  {
    std::lock_guard lock(mutex_);
    const std::size_t extents_max = files_.options().extents_max;
    if (content_.count() <= 2 * wanted) return;
    const bool edited = std::exchange(edited_, false);
    const bool by_earlier_ones = base_.count() > extents_max;
    if (!edited && !by_earlier_ones) return;
    const auto allowed = std::max(join_allowance_, by_earlier_ones ? joined_max : joined_min);
    runs = crowded_runs(content_.pieces(0, size_), {wanted, allowed, large_piece});
  }
  if (runs.empty()) return;
  // One object for all of them: as if they followed each other.
  Rewriting rewriting{account_, node(), {}, {}};
  std::uint64_t end = 0;
  for (const auto& run : runs) {
    for (const Piece& piece : run) {
      rewriting.pieces.push_back({end, piece.length, piece.source});
      end += piece.length;
    }
  }
  join_allowance_ -= std::min(join_allowance_, end);
  try {
    auto written = rewrite_object(files_, rewriting, [] { return true; });
    std::lock_guard lock(mutex_);
    Stored place{written->row.object, std::make_shared<const std::string>(written->key),
                 written->row.size, 0, shared_checksums(written->row)};
    for (const auto& run : runs) {
      const std::uint64_t length = end_of(run.back()) - run.front().offset;
      content_.assign(run.front().offset, length, place);
      place.offset += length;
    }
    finished_.push_back(std::move(*written));
  } catch (const std::exception& failure) {
    // The next commit tries again: this one is correct without it.
    log::warning("a file's pieces were not joined", {{"reason", failure.what()}});
  }
}

/// Pieces of an open file are in memory, and will be rows: however many places a client writes to
/// before it commits, they are stored and joined from time to time. Where they lie too far from
/// each other for that, there is an end.
Step OpenFile::fold() {
  bool can_fold = false;
  {
    std::lock_guard lock(mutex_);
    // What arrived behind a gap is told from the prefix by where it lies.
    can_fold = !gap_ && !orphaned_;
  }
  try {
    if (can_fold) {
      if (store_scratch() != Step::done) return Step::needs_memory;
      join_small_pieces(pieces_before_fold() / 2);
    }
  } catch (...) {
    give_up_packing();
    throw;
  }
  std::lock_guard lock(mutex_);
  if (can_fold && scratch_) scratch_->clear();
  const std::size_t most = pieces_max();
  if (content_.count() > most / 2 && fold_at_ >= most) {
    throw Error(ErrorCode::too_scattered, "the file is written in too many places at once");
  }
  fold_at_ = std::clamp(2 * content_.count(), pieces_before_fold(), most);
  return Step::done;
}

std::size_t OpenFile::pieces_before_fold() const {
  return files_.options().extents_max * fold_factor;
}

std::size_t OpenFile::pieces_max() const { return files_.options().extents_max * pieces_factor; }

}  // namespace sftpd::vfs
