#include "sftpd/vfs/writing/source_reader.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>
#include <variant>

#include "sftpd/vfs/error.h"
#include "sftpd/vfs/filesystem.h"

namespace sftpd::vfs {

namespace {

constexpr std::uint64_t read_max = std::uint64_t{1} << 20;
constexpr std::size_t reads_under_way_max = 8;
/// Bytes read for nothing between two slices: dearer than they is a request of its own.
constexpr std::uint64_t between_max = std::uint64_t{64} << 10;

}  // namespace

void SourceReader::read(const RewritePart& part, std::span<std::byte> into) {
  const auto slices = slices_of(part, into);
  for (std::size_t first = 0; first < slices.size();) {
    std::uint64_t end = slices[first].end();
    std::size_t next = first + 1;
    for (; next < slices.size(); ++next) {
      const Slice& slice = slices[next];
      const std::uint64_t longer = std::max(end, slice.end());
      if (slice.object->object != slices[first].object->object ||
          slice.offset > end + between_max || longer - slices[first].offset > read_max) {
        break;
      }
      end = longer;
    }
    ask_for(std::span(slices).subspan(first, next - first), end);
    first = next;
  }
  while (!under_way_.empty()) finish_oldest();
}

/// By object and place in it. Inline bytes are filled in.
std::vector<SourceReader::Slice> SourceReader::slices_of(const RewritePart& part,
                                                         std::span<std::byte> into) {
  std::vector<Slice> slices;
  const std::uint64_t begin = part.pieces.front().offset;
  for (const Piece& piece : part.pieces) {
    const auto place = into.subspan(static_cast<std::size_t>(piece.offset - begin),
                                    static_cast<std::size_t>(piece.length));
    if (const auto* inlined = std::get_if<Inline>(&piece.source)) {
      std::memcpy(place.data(), inlined->bytes->data() + inlined->offset, place.size());
    }
    const auto* stored = std::get_if<Stored>(&piece.source);
    for (std::uint64_t at = 0; stored && at < piece.length; at += read_max) {
      const auto length = static_cast<std::size_t>(std::min(read_max, piece.length - at));
      slices.push_back(
          {stored, stored->offset + at, place.subspan(static_cast<std::size_t>(at), length)});
    }
  }
  std::sort(slices.begin(), slices.end(), [](const Slice& a, const Slice& b) {
    return std::tie(a.object->object.value, a.offset) < std::tie(b.object->object.value, b.offset);
  });
  return slices;
}

void SourceReader::ask_for(std::span<const Slice> slices, std::uint64_t end) {
  if (under_way_.size() >= reads_under_way_max) finish_oldest();
  const Slice& first = slices.front();
  const storage::ByteRange range{first.offset, end - first.offset};
  under_way_.push_back({slices, range.offset, range.length,
                        files_.store().get(storage::ObjectKey{*first.object->key}, range)});
}

void SourceReader::finish_oldest() {
  Request request = std::move(under_way_.front());
  under_way_.pop_front();
  const storage::Payload bytes = request.answer.get();
  if (bytes.size() != request.length) {
    throw Error(ErrorCode::content_damaged, "an extent reaches beyond its object");
  }
  for (const Slice& slice : request.slices) {
    std::memcpy(slice.into.data(), bytes.data() + (slice.offset - request.offset),
                slice.into.size());
  }
}

}  // namespace sftpd::vfs
