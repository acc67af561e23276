#include "sftpd/vfs/reading/reader.h"

#include <algorithm>
#include <bit>

namespace sftpd::vfs {

namespace {
constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
/// What a random read fetches: sshfs asks for 4 to 128 KiB, previews for 64.
constexpr std::uint64_t random_granularity = 128 * kib;
constexpr std::uint64_t sequential_granularity_min = 256 * kib;
/// Larger requests gain nothing over parallel ones (s3.md section 4).
constexpr std::uint64_t sequential_granularity_max = 4 * mib;
constexpr std::uint64_t window_max = 32 * mib;
/// Reads this far out of order still count as in order.
constexpr std::uint64_t reorder_max = 1 * mib;
/// Where one object ends and the next begins, reads of both are under way.
constexpr std::size_t checks_max = 4;
}  // namespace

Reader::~Reader() { set_sequential(false); }

void Reader::set_sequential(bool sequential) {
  if (sequential == sequential_) return;
  sequential_ = sequential;
  if (sequential) {
    cache_.sequential_reader_came();
  } else {
    cache_.sequential_reader_left();
    run_ = 0;
    fetched_until_ = 0;
  }
}

Reader::Plan Reader::plan(std::uint64_t offset, std::uint64_t length, std::uint64_t file_size) {
  const std::uint64_t end = offset + length;
  const bool follows = offset <= next_ + reorder_max && offset + reorder_max >= next_;
  if (!follows) {
    // Not sequential until a read follows this one.
    set_sequential(false);
    next_ = end;
    return {random_granularity, {}};
  }
  set_sequential(true);
  next_ = std::max(next_, end);
  run_ += length;
  const std::uint64_t window =
      std::min({std::bit_ceil(run_) * 2, window_max, std::uint64_t{cache_.window_max()}});
  Plan plan;
  plan.granularity = std::clamp(std::bit_floor(std::max<std::uint64_t>(1, window / 4)),
                                sequential_granularity_min, sequential_granularity_max);
  const std::uint64_t begin = std::max(fetched_until_, end);
  const std::uint64_t stop = std::min(end + window, file_size);
  // As soon as a request fits, lest the store's latency shows; small windows by halves.
  const std::uint64_t step = std::min(plan.granularity, window / 2);
  const bool worth_it = begin < stop && (begin - end + step <= window || stop == file_size);
  if (worth_it && cache_.has_room(stop - begin)) {
    plan.ahead = storage::ByteRange{begin, stop - begin};
    fetched_until_ = stop;
  }
  return plan;
}

std::shared_ptr<ObjectCheck> Reader::check_of(ObjectChecks& checks, const Stored& place,
                                              metadata::AccountId account, metadata::NodeId node) {
  const auto known = std::find_if(checks_.begin(), checks_.end(), [&](const auto& check) {
    return check->object() == place.object;
  });
  const bool begins = place.offset == 0 && place.checksums;
  if (known != checks_.end()) {
    if (!begins || !(*known)->over()) return *known;
    checks_.erase(known);
  }
  if (!begins) return nullptr;
  checks_.push_back(checks.begin(
      {{place.object, *place.key, place.object_size}, *place.checksums, account, node}));
  if (checks_.size() > checks_max) checks_.pop_front();
  return checks_.back();
}

}  // namespace sftpd::vfs
