#include "sftpd/vfs/content/content.h"

#include <algorithm>
#include <iterator>

namespace sftpd::vfs {

namespace {

/// Whether `next` lies right behind `length` bytes of `source`.
bool continues(const Source& source, std::uint64_t length, const Source& next) {
  if (source.index() != next.index()) return false;
  return std::visit(
      [&](const auto& a) {
        using Kind = std::decay_t<decltype(a)>;
        const auto& b = std::get<Kind>(next);
        if constexpr (std::is_same_v<Kind, Zeros>) {
          return true;
        } else {
          if (a.offset + length != b.offset) return false;
          if constexpr (std::is_same_v<Kind, Stored>) return a.object == b.object;
          if constexpr (std::is_same_v<Kind, Inline>) return a.bytes == b.bytes;
          if constexpr (std::is_same_v<Kind, Streamed>) return a.writer == b.writer;
          return true;
        }
      },
      source);
}

bool same_place(const Source& a, const Source& b) { return continues(a, 0, b); }

}  // namespace

std::shared_ptr<const metadata::Checksums> shared_checksums(const metadata::Checksums& checksums) {
  const bool any = checksums.sha256 || checksums.crc32c;
  return any ? std::make_shared<const metadata::Checksums>(checksums) : nullptr;
}

std::shared_ptr<const metadata::Checksums> shared_checksums(
    const metadata::FinishedObject& object) {
  return shared_checksums({object.sha256, object.crc32c});
}

Source advanced(Source source, std::uint64_t by) {
  std::visit(
      [by](auto& place) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(place)>, Zeros>) place.offset += by;
      },
      source);
  return source;
}

Content Content::of(const metadata::Version& version) {
  Content content;
  for (const auto& extent : version.extents) {
    Source source;
    if (const auto* slice = std::get_if<metadata::ObjectSlice>(&extent.source)) {
      source = Stored{slice->object, std::make_shared<const std::string>(slice->key),
                      slice->object_size, slice->offset, shared_checksums(slice->checksums)};
    } else {
      source = Inline{std::make_shared<const std::string>(std::get<std::string>(extent.source)), 0};
    }
    content.assign(extent.offset, extent.length, std::move(source));
  }
  return content;
}

void Content::carve(std::uint64_t offset, std::uint64_t end) {
  auto piece = pieces_.upper_bound(offset);
  if (piece != pieces_.begin()) {
    auto before = std::prev(piece);
    const std::uint64_t before_end = before->second.offset + before->second.length;
    if (before_end > offset) {
      if (before_end > end) {
        Piece tail{end, before_end - end, advanced(before->second.source, end - before->first)};
        pieces_.emplace(end, std::move(tail));
      }
      before->second.length = offset - before->first;
      if (before->second.length == 0) pieces_.erase(before);
    }
  }
  piece = pieces_.lower_bound(offset);
  while (piece != pieces_.end() && piece->first < end) {
    const std::uint64_t piece_end = piece->first + piece->second.length;
    if (piece_end > end) {
      Piece tail{end, piece_end - end, advanced(piece->second.source, end - piece->first)};
      pieces_.erase(piece);
      pieces_.emplace(end, std::move(tail));
      return;
    }
    piece = pieces_.erase(piece);
  }
}

void Content::assign(std::uint64_t offset, std::uint64_t length, Source source) {
  if (length == 0) return;
  // The common case first: a stream that goes on at its end.
  if (auto after = pieces_.lower_bound(offset); after == pieces_.end() && !pieces_.empty()) {
    auto& last = std::prev(after)->second;
    if (last.offset + last.length == offset && continues(last.source, last.length, source)) {
      last.length += length;
      return;
    }
  }
  carve(offset, offset + length);
  auto [piece, inserted] = pieces_.emplace(offset, Piece{offset, length, std::move(source)});
  merge_around(piece);
}

void Content::merge_around(std::map<std::uint64_t, Piece>::iterator piece) {
  auto try_merge = [this](auto left, auto right) {
    auto& a = left->second;
    auto& b = right->second;
    if (a.offset + a.length != b.offset || !continues(a.source, a.length, b.source)) return false;
    a.length += b.length;
    pieces_.erase(right);
    return true;
  };
  if (auto next = std::next(piece); next != pieces_.end()) try_merge(piece, next);
  if (piece != pieces_.begin()) try_merge(std::prev(piece), piece);
}

void Content::truncate(std::uint64_t size) {
  if (pieces_.empty()) return;
  const auto& last = std::prev(pieces_.end())->second;
  const std::uint64_t end = last.offset + last.length;
  if (end > size) carve(size, end);
}

std::vector<Piece> Content::pieces(std::uint64_t offset, std::uint64_t length) const {
  std::vector<Piece> found;
  const std::uint64_t end = offset + length;
  auto piece = pieces_.upper_bound(offset);
  if (piece != pieces_.begin()) --piece;
  std::uint64_t at = offset;
  for (; piece != pieces_.end() && piece->first < end; ++piece) {
    const auto& [begin, whole] = *piece;
    const std::uint64_t piece_end = begin + whole.length;
    if (piece_end <= at) continue;
    if (begin > at) {
      found.push_back({at, begin - at, Zeros{}});
      at = begin;
    }
    const std::uint64_t stop = std::min(end, piece_end);
    found.push_back({at, stop - at, advanced(whole.source, at - begin)});
    at = stop;
  }
  if (at < end) found.push_back({at, end - at, Zeros{}});
  return found;
}

std::vector<Piece> Content::all() const {
  std::vector<Piece> found;
  found.reserve(pieces_.size());
  for (const auto& [offset, piece] : pieces_) found.push_back(piece);
  return found;
}

void Content::replace(const ObjectWriter* writer, const Source& place) {
  for (auto& [offset, piece] : pieces_) {
    const auto* streamed = std::get_if<Streamed>(&piece.source);
    if (!streamed || streamed->writer.get() != writer) continue;
    piece.source = advanced(place, streamed->offset);
  }
}

bool Content::follow(const Content& before, const Content& now) {
  std::vector<Piece> moved;
  for (const auto& [offset, was] : before.pieces_) {
    for (const Piece& piece : pieces(offset, was.length)) {
      if (!same_place(piece.source, advanced(was.source, piece.offset - offset))) continue;
      for (Piece& is : now.pieces(piece.offset, piece.length)) {
        const auto there = advanced(was.source, is.offset - offset);
        if (!same_place(is.source, there)) moved.push_back(std::move(is));
      }
    }
  }
  for (Piece& piece : moved) assign(piece.offset, piece.length, std::move(piece.source));
  return !moved.empty();
}

bool Content::refers_to(const ObjectWriter* writer) const {
  return std::any_of(pieces_.begin(), pieces_.end(), [writer](const auto& entry) {
    const auto* streamed = std::get_if<Streamed>(&entry.second.source);
    return streamed && streamed->writer.get() == writer;
  });
}

}  // namespace sftpd::vfs
