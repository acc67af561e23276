// An object being filled: its window of parts. Sending them: object_writer_sending.cpp.

#include "sftpd/vfs/writing/object_writer.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "sftpd/vfs/content/content_type.h"
#include "sftpd/vfs/filesystem.h"

namespace sftpd::vfs {

namespace {

/// Parts that may be filling at once: clients' out-of-order writes span some megabytes at most.
constexpr std::size_t window_parts_max = 3;
/// The smallest size for which sending a part early is allowed to be tried.
constexpr std::size_t piece_min = std::size_t{256} << 10;

}  // namespace

ObjectWriter::ObjectWriter(FileSystem& files, metadata::AccountId account, metadata::NodeId node,
                           metadata::FileId file, metadata::UserId user, std::uint64_t file_offset,
                           Recovery recovery, std::int64_t chain,
                           std::optional<metadata::VersionId> base,
                           std::optional<Sha256Hasher> before)
    : files_(files),
      account_(account),
      node_(node),
      file_(file),
      user_(user),
      file_offset_(file_offset),
      chain_(chain),
      base_(base),
      recovery_(recovery),
      share_(files.memory()),
      continues_(before.has_value()),
      hash_(before ? std::move(*before) : Sha256Hasher()) {}

ObjectWriter::~ObjectWriter() = default;

/// Grows with the number, so that 10,000 parts hold terabytes (s3.md section 5); the fair part of
/// the memory bounds it, so that two parts of each file fit.
std::size_t ObjectWriter::part_target(int number) const {
  const auto& limits = files_.store().limits();
  std::size_t size = std::max<std::size_t>(files_.options().part_size, limits.part_size_min);
  if (limits.parts_equal) return size;
  for (int step = limits.parts_max / 5; step > 0 && number > step; number -= step) size *= 2;
  const std::size_t fair = share_.fair_part() / 2;
  return std::max<std::size_t>(std::min(size, fair), std::min(size, piece_min));
}

std::uint64_t ObjectWriter::end() const {
  std::lock_guard lock(window_mutex_);
  std::uint64_t end = sent_;
  for (const auto& part : window_) {
    end += part.buffer.contiguous();
    if (part.buffer.contiguous() < part.target) break;
  }
  return file_offset_ + end;
}

bool ObjectWriter::accepts(std::uint64_t offset, std::size_t length) const {
  std::lock_guard lock(window_mutex_);
  if (over_ || offset < file_offset_ + sent_) return false;
  const std::uint64_t begin = offset - file_offset_;
  if (begin == sent_ && window_.empty()) return has_numbers_left();
  std::uint64_t reach = std::uint64_t{files_.options().part_size} * 2;
  for (const auto& part : window_) reach = std::max<std::uint64_t>(reach, part.target * 2);
  return begin + length <= sent_ + reach && has_numbers_left();
}

bool ObjectWriter::has_numbers_left() const {
  return next_number_ + static_cast<int>(window_parts_max) < files_.store().limits().parts_max;
}

bool ObjectWriter::ensure_window(std::uint64_t begin, std::uint64_t end) {
  // What begins an object has to fit, whatever its length.
  const bool begins = window_.empty() && begin == sent_;
  const std::size_t size_min = files_.store().limits().part_size_min;
  for (;;) {
    const std::uint64_t reach =
        window_.empty() ? sent_ : window_.back().offset + window_.back().target;
    if (end <= reach) return true;
    // Parts below the store's minimum (memory is short) can only be an object's last ones.
    const bool small = !window_.empty() && window_.back().target < size_min;
    if (small || (window_.size() >= window_parts_max && !begins)) return false;
    const int number = next_number_ + static_cast<int>(window_.size());
    std::size_t target = part_target(number);
    if (begins && target < size_min) target = std::max<std::size_t>(target, end - reach);
    window_.push_back({number, reach, target, PartBuffer()});
  }
}

/// All or nothing: what was reserved and not used would look like bytes that can be sent.
bool ObjectWriter::reserve_for(std::uint64_t begin, std::uint64_t end) {
  auto capacity_of = [&](const Part& part) -> std::size_t {
    const std::uint64_t part_end = std::min(end, part.offset + part.target);
    if (part_end <= std::max(begin, part.offset)) return 0;
    return PartBuffer::capacity_for(static_cast<std::size_t>(part_end - part.offset));
  };
  std::size_t more = 0;
  for (const auto& part : window_) {
    more += std::max(capacity_of(part), part.buffer.capacity()) - part.buffer.capacity();
  }
  if (more > 0 && !share_.try_reserve(more)) return false;
  for (auto& part : window_) part.buffer.grow(capacity_of(part));
  return true;
}

ObjectWriter::Result ObjectWriter::no_memory() {
  const auto& limits = files_.store().limits();
  {
    std::lock_guard lock(mutex_);
    if (under_way_ > 0) return Result::busy;
  }
  // Send what is there, if the store takes so small a part in the middle of an object.
  if (!limits.parts_equal && !window_.empty()) {
    const std::size_t length = window_.front().buffer.contiguous();
    const bool alone = window_.size() == 1 || window_[1].buffer.capacity() == 0;
    if (alone && length >= limits.part_size_min && window_.front().buffer.behind_gap().empty()) {
      window_.resize(1);
      ship_front(length);
      return Result::busy;
    }
  }
  return share_.held() > 0 ? Result::cut : Result::wait;
}

ObjectWriter::Result ObjectWriter::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  {
    std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    if (under_way_ >= files_.options().parts_in_flight_max) return Result::busy;
  }
  std::lock_guard window_lock(window_mutex_);
  const std::uint64_t begin = offset - file_offset_;
  const std::uint64_t end = begin + bytes.size();
  assert(begin >= sent_);
  if (!ensure_window(begin, end)) return sent_ > 0 || !window_.empty() ? Result::cut : Result::wait;
  if (!reserve_for(begin, end)) return no_memory();
  for (auto& part : window_) {
    const std::uint64_t from = std::max(begin, part.offset);
    const std::uint64_t to = std::min(end, part.offset + part.target);
    if (from >= to) continue;
    part.buffer.write(
        static_cast<std::size_t>(from - part.offset),
        bytes.subspan(static_cast<std::size_t>(from - begin), static_cast<std::size_t>(to - from)));
  }
  while (!window_.empty() && window_.front().buffer.contiguous() == window_.front().target &&
         window_.front().target >= files_.store().limits().part_size_min) {
    ship_front(window_.front().target);
  }
  return Result::taken;
}

bool ObjectWriter::copy_out(std::uint64_t object_offset, std::span<std::byte> into) const {
  std::lock_guard lock(window_mutex_);
  if (object_offset < sent_) return false;
  const std::uint64_t end = object_offset + into.size();
  for (const auto& part : window_) {
    const std::uint64_t from = std::max(object_offset, part.offset);
    const std::uint64_t to = std::min(end, part.offset + part.target);
    if (from >= to) continue;
    const auto source = part.buffer.bytes(static_cast<std::size_t>(from - part.offset),
                                          static_cast<std::size_t>(to - from));
    std::memcpy(into.data() + (from - object_offset), source.data(), source.size());
  }
  return true;
}

std::vector<std::byte> ObjectWriter::head() const {
  std::lock_guard lock(window_mutex_);
  return head_locked();
}

std::vector<std::byte> ObjectWriter::head_locked() const {
  if (sent_ > 0 || window_.empty()) return sent_head_;
  const auto& buffer = window_.front().buffer;
  const auto bytes = buffer.bytes(0, std::min(ContentType::head_size, buffer.contiguous()));
  return {bytes.begin(), bytes.end()};
}

std::optional<std::vector<std::byte>> ObjectWriter::take_small(std::size_t max) {
  std::vector<std::byte> taken;
  {
    std::lock_guard lock(window_mutex_);
    if (sent_ > 0 || window_.empty()) return {};
    auto& front = window_.front();
    const std::size_t size = front.buffer.contiguous();
    if (size > max || size == front.target) return {};
    const auto bytes = front.buffer.bytes(0, size);
    taken.assign(bytes.begin(), bytes.end());
  }
  abandon();
  return taken;
}

std::vector<LeftoverBytes> ObjectWriter::take_leftovers() {
  std::lock_guard lock(window_mutex_);
  std::vector<LeftoverBytes> leftovers;
  bool gap = false;
  for (auto& part : window_) {
    for (const auto& [begin, length] : part.buffer.behind_gap()) {
      const auto bytes = part.buffer.bytes(begin, length);
      leftovers.push_back({part.offset + begin, {bytes.begin(), bytes.end()}});
    }
    const std::size_t contiguous = part.buffer.contiguous();
    if (gap && contiguous > 0) {
      const auto bytes = part.buffer.bytes(0, contiguous);
      leftovers.push_back({part.offset, {bytes.begin(), bytes.end()}});
    }
    gap = gap || contiguous < part.target;
  }
  return leftovers;
}

}  // namespace sftpd::vfs
