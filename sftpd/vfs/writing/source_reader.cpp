#include "sftpd/vfs/writing/source_reader.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>
#include <variant>

#include "sftpd/vfs/content/crc32c.h"
#include "sftpd/vfs/content/hash.h"
#include "sftpd/vfs/error.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/reading/object_check.h"

namespace sftpd::vfs {

namespace {

constexpr std::uint64_t read_max = std::uint64_t{1} << 20;
constexpr std::size_t reads_under_way_max = 8;
/// Bytes read for nothing between two slices: dearer than they is a request of its own.
constexpr std::uint64_t between_max = std::uint64_t{64} << 10;

}  // namespace

SourceReader::SourceReader(FileSystem& files, metadata::AccountId account, metadata::NodeId node,
                           const std::vector<RewritePart>& plan)
    : files_(files), account_(account), node_(node) {
  if (!files.options().verify_reads) return;
  for (const RewritePart& part : plan) {
    if (part.copied) continue;
    for (const Piece& piece : part.pieces) {
      const auto* stored = std::get_if<Stored>(&piece.source);
      if (!stored || !stored->checksums) continue;
      sources_.try_emplace(stored->object, Source{*stored}).first->second.wanted += piece.length;
    }
  }
  std::erase_if(sources_, [](const auto& entry) { return !worth_checking(entry.second); });
}

/// What else there is of it costs no more than what is wanted, or one request.
bool SourceReader::worth_checking(const Source& source) {
  const std::uint64_t size = source.place.object_size;
  return size <= read_max || source.wanted >= size - size / 2;
}

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
  const auto source = sources_.find(request.slices.front().object->object);
  if (source != sources_.end()) add(source->second, request.offset, bytes.bytes());
  for (const Slice& slice : request.slices) {
    std::memcpy(slice.into.data(), bytes.data() + (slice.offset - request.offset),
                slice.into.size());
  }
}

// --- Comparing ---------------------------------------------------------------------------------

std::vector<SourceReader::Range> SourceReader::unseen(const Source& source, Range within) {
  std::vector<Range> ranges;
  auto [at, end] = within;
  auto next = source.seen.upper_bound(at);
  if (next != source.seen.begin()) at = std::max(at, std::prev(next)->second);
  for (; next != source.seen.end() && next->first < end; ++next) {
    if (next->first > at) ranges.emplace_back(at, next->first);
    at = std::max(at, next->second);
  }
  if (at < end) ranges.emplace_back(at, end);
  return ranges;
}

/// Each byte once: the sum of what ranges add, each moved to its place, is the whole's checksum.
void SourceReader::add(Source& source, std::uint64_t offset, std::span<const std::byte> bytes) {
  for (const auto& [begin, end] : unseen(source, {offset, offset + bytes.size()})) {
    const auto part = bytes.subspan(static_cast<std::size_t>(begin - offset),
                                    static_cast<std::size_t>(end - begin));
    source.crc ^= crc32c_joined(crc32c(0, part), 0, source.place.object_size - end);
    auto [range, added] = source.seen.emplace(begin, end);
    if (const auto next = std::next(range); next != source.seen.end() && next->first == end) {
      range->second = next->second;
      source.seen.erase(next);
    }
    if (range != source.seen.begin() && std::prev(range)->second == begin) {
      std::prev(range)->second = range->second;
      source.seen.erase(range);
    }
  }
}

void SourceReader::check() {
  for (auto& [object, source] : sources_) check(source);
}

void SourceReader::check(Source& source) {
  for (const Range& range : unseen(source, {0, source.place.object_size})) {
    read_through(source.place, range,
                 [&](std::uint64_t offset, auto bytes) { add(source, offset, bytes); });
  }
  if (source.crc == right_crc(source)) return;
  const auto& place = source.place;
  files_.object_checks().found_damaged(
      {{place.object, *place.key, place.object_size}, *place.checksums, account_, node_});
  throw Error(ErrorCode::content_damaged, "object " + *place.key + " is not what was stored");
}

/// The recorded one; else that of bytes that have the recorded hash, for which they are read once
/// more, in order. Nothing if they have another hash.
std::optional<std::uint32_t> SourceReader::right_crc(const Source& source) {
  if (source.place.checksums->crc32c) return source.place.checksums->crc32c;
  Sha256Hasher hash;
  std::uint32_t crc = 0;
  read_through(source.place, {0, source.place.object_size}, [&](std::uint64_t, auto bytes) {
    hash.add(bytes);
    crc = crc32c(crc, bytes);
  });
  if (hash.finish() != source.place.checksums->sha256) return {};
  return crc;
}

void SourceReader::read_through(const Stored& place, Range range, const Take& take) {
  std::deque<std::pair<std::uint64_t, storage::Future<storage::Payload>>> answers;
  std::uint64_t asked = range.first;
  while (asked < range.second || !answers.empty()) {
    while (asked < range.second && answers.size() < reads_under_way_max) {
      const std::uint64_t length = std::min(read_max, range.second - asked);
      answers.emplace_back(asked,
                           files_.store().get(storage::ObjectKey{*place.key}, {asked, length}));
      asked += length;
    }
    const storage::Payload bytes = answers.front().second.get();
    take(answers.front().first, bytes.bytes());
    answers.pop_front();
  }
}

}  // namespace sftpd::vfs
