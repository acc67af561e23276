#include "sftpd/vfs/content/rewrite_plan.h"

#include <algorithm>
#include <cassert>

namespace sftpd::vfs {

namespace {

std::uint64_t rounded_up_quotient(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

/// Bytes of the new object up to `end`, all copied from one place or all sent.
struct Run {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool copied = false;
  std::uint64_t length() const { return end - begin; }
};

class Planner {
 public:
  Planner(const std::vector<Piece>& pieces, const storage::Limits& limits,
          const RewriteSizes& sizes)
      : pieces_(pieces),
        limits_(limits),
        sizes_(sizes),
        origin_(pieces.front().offset),
        size_(pieces.back().offset + pieces.back().length - origin_) {}

  std::optional<std::vector<RewritePart>> plan() {
    if (size_ <= std::min(limits_.part_size_min, limits_.put_size_max)) {
      add_part(0, size_, false);
      return std::move(parts_);
    }
    return limits_.parts_equal ? plan_grid() : plan_runs();
  }

 private:
  /// Stores copy ranges of objects only that are larger than the smallest part.
  bool may_copy(const Piece& piece) const {
    const auto* stored = std::get_if<Stored>(&piece.source);
    return limits_.part_copy && stored && stored->object_size > limits_.part_size_min;
  }

  /// Every part but the last has one size: each cell of the grid is copied if one object has it.
  std::optional<std::vector<RewritePart>> plan_grid() {
    const auto parts_max = static_cast<std::uint64_t>(limits_.parts_max);
    const std::uint64_t cell =
        std::max({sizes_.part_size, limits_.part_size_min, rounded_up_quotient(size_, parts_max)});
    if (cell > limits_.part_size_max) return {};
    for (std::uint64_t at = 0; at < size_; at += cell) {
      const std::uint64_t length = std::min(cell, size_ - at);
      const auto inside = slice(at, length);
      add_part(at, length, inside.size() == 1 && may_copy(inside.front()));
    }
    return checked();
  }

  /// Larger parts are tried when there are too many: with a smallest part of n-th of the whole
  /// there are n at most.
  std::optional<std::vector<RewritePart>> plan_runs() {
    for (std::uint64_t smallest = limits_.part_size_min; smallest <= limits_.part_size_max / 2;
         smallest *= 2) {
      parts_.clear();
      next_piece_ = 0;
      for (const Run& run : enlarged(find_runs(smallest), smallest)) split(run, smallest);
      if (parts_.size() <= static_cast<std::size_t>(limits_.parts_max)) return checked();
    }
    return {};
  }

  std::vector<Run> find_runs(std::uint64_t smallest) const {
    std::vector<Run> runs;
    for (const Piece& piece : pieces_) {
      const std::uint64_t begin = piece.offset - origin_;
      const bool copied = piece.length >= smallest && may_copy(piece);
      if (copied || runs.empty() || runs.back().copied) {
        runs.push_back({begin, begin + piece.length, copied});
      } else {
        runs.back().end += piece.length;
      }
    }
    return runs;
  }

  /// Runs that are sent take what they lack from the copied ones beside them: only the last part
  /// may be smaller than `smallest`.
  static std::vector<Run> enlarged(const std::vector<Run>& runs, std::uint64_t smallest) {
    std::vector<Run> result;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      Run run = runs[i];
      if (!result.empty()) run.begin = result.back().end;
      if (run.begin == run.end) continue;
      // What is left of it is too little to be copied: it goes with what comes next.
      const bool small_rest = run.copied && run.length() < smallest && i + 1 < runs.size();
      if (small_rest) run.copied = false;
      if (!run.copied && !result.empty() && !result.back().copied) {
        run.begin = result.back().begin;
        result.pop_back();
      }
      if (!run.copied && run.length() < smallest && i + 1 < runs.size()) {
        take_from_neighbours(run, result, runs[i + 1], smallest);
      }
      result.push_back(run);
    }
    return result;
  }

  /// `next` is copied: two runs that are sent are one.
  static void take_from_neighbours(Run& run, std::vector<Run>& before, const Run& next,
                                   std::uint64_t smallest) {
    const std::uint64_t lacking = smallest - run.length();
    const bool next_can_spare = next.end - run.end >= lacking + smallest;
    if (!next_can_spare && !before.empty() && before.back().length() >= lacking + smallest) {
      before.back().end -= lacking;
      run.begin -= lacking;
    } else {
      run.end += std::min(lacking, next.end - run.end);
    }
  }

  /// Into parts of about one size, so that none becomes too small.
  void split(const Run& run, std::uint64_t smallest) {
    const auto parts_max = static_cast<std::uint64_t>(limits_.parts_max);
    std::uint64_t largest = sizes_.part_size;
    if (run.copied) {
      largest = std::max(limits_.copy_part_max, rounded_up_quotient(2 * size_, parts_max));
    }
    largest = std::clamp(largest, 2 * smallest, limits_.part_size_max);
    const std::uint64_t count = rounded_up_quotient(run.length(), largest);
    std::uint64_t begin = run.begin;
    for (std::uint64_t i = 1; i <= count; ++i) {
      const std::uint64_t end = i == count ? run.end : begin + (run.end - begin) / (count - i + 1);
      add_part(begin, end - begin, run.copied);
      begin = end;
    }
  }

  void add_part(std::uint64_t offset, std::uint64_t length, bool copied) {
    auto inside = slice(offset, length);
    assert(!copied || inside.size() == 1);
    parts_.push_back(
        {static_cast<int>(parts_.size()) + 1, offset, length, copied, std::move(inside)});
  }

  /// The pieces in that range of the new object. Ranges ascend from call to call.
  std::vector<Piece> slice(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t begin = origin_ + offset;
    const std::uint64_t end = begin + length;
    while (pieces_[next_piece_].offset + pieces_[next_piece_].length <= begin) ++next_piece_;
    std::vector<Piece> inside;
    for (std::size_t i = next_piece_; i < pieces_.size() && pieces_[i].offset < end; ++i) {
      const Piece& whole = pieces_[i];
      const std::uint64_t from = std::max(begin, whole.offset);
      const std::uint64_t to = std::min(end, whole.offset + whole.length);
      inside.push_back({from, to - from, advanced(whole.source, from - whole.offset)});
    }
    return inside;
  }

  std::optional<std::vector<RewritePart>> checked() {
    const bool fits = std::all_of(parts_.begin(), parts_.end(), [this](const RewritePart& part) {
      return part.length <= (part.copied ? limits_.part_size_max : sizes_.sent_max);
    });
    if (!fits) return {};
    return std::move(parts_);
  }

  const std::vector<Piece>& pieces_;
  const storage::Limits& limits_;
  const RewriteSizes& sizes_;
  const std::uint64_t origin_;  ///< where the first piece lies in the file
  const std::uint64_t size_;
  std::size_t next_piece_ = 0;
  std::vector<RewritePart> parts_;
};

}  // namespace

std::optional<std::vector<RewritePart>> plan_rewrite(const std::vector<Piece>& pieces,
                                                     const storage::Limits& limits,
                                                     const RewriteSizes& sizes) {
  if (pieces.empty()) return {};
  return Planner(pieces, limits, sizes).plan();
}

}  // namespace sftpd::vfs
