// Before a commit: edited and inline bytes become a few extents, and too many extents become fewer.

#include <algorithm>
#include <tuple>
#include <utility>

#include "sftpd/log/log.h"
#include "sftpd/vfs/content/content_type.h"
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
/// What one commit joins at most: somebody waits for it.
constexpr std::uint64_t joined_max = 2 * large_piece;

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

/// Small pieces beside each other that could be one.
struct Neighbours {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::size_t count = 0;
};

/// Where most of them are, and how many small ones there are in all.
std::pair<Neighbours, std::size_t> densest(const std::vector<Piece>& pieces) {
  Neighbours most;
  Neighbours current;
  std::size_t small = 0;
  for (const Piece& piece : pieces) {
    if (piece.length >= large_piece) {
      current = {};
      continue;
    }
    ++small;
    if (current.count == 0 || end_of(piece) - current.begin > joined_max) {
      current = {piece.offset, 0, 0};
    }
    current.end = end_of(piece);
    if (++current.count > most.count) most = current;
  }
  return {most, small};
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
    packing.writer = std::make_shared<ObjectWriter>(files_, account_, node(), user_, 0,
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
  packing.packed.clear();
  packing.writer = nullptr;
  packing.filled = 0;
}

void OpenFile::give_up_packing() noexcept {
  if (packing_ && packing_->writer) packing_->writer->abandon();
  packing_ = nullptr;
}

// --- Too many extents --------------------------------------------------------------------------

/// Each commit writes all extents anew, so commits must not make ever more of them. What joining
/// costs is shared by the many commits that made them. Those of one upload are left to a job.
void OpenFile::join_small_pieces() {
  Rewriting rewriting{account_, node(), {}, {}};
  Neighbours range;
  {
    std::lock_guard lock(mutex_);
    const std::size_t extents_max = files_.options().extents_max;
    if (base_.count() <= extents_max || content_.count() <= extents_max) return;
    std::size_t small = 0;
    std::tie(range, small) = densest(content_.all());
    if (small <= extents_max || range.count < 2) return;
    rewriting.pieces = content_.pieces(range.begin, range.end - range.begin);
  }
  try {
    auto written = rewrite_object(files_, rewriting, [] { return true; });
    const auto key = std::make_shared<const std::string>(written->key);
    std::lock_guard lock(mutex_);
    content_.assign(
        range.begin, range.end - range.begin,
        Stored{written->row.object, key, written->row.size, 0, shared_checksums(written->row)});
    finished_.push_back(std::move(*written));
  } catch (const std::exception& failure) {
    // The next commit tries again: this one is correct without it.
    log::warning("a file's pieces were not joined", {{"reason", failure.what()}});
  }
}

}  // namespace sftpd::vfs
