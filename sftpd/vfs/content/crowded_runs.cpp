#include "sftpd/vfs/content/crowded_runs.h"

#include <algorithm>
#include <variant>

namespace sftpd::vfs {

namespace {

bool is_hole(const Piece& piece) { return std::holds_alternative<Zeros>(piece.source); }

bool can_be_joined(const Piece& piece) {
  return !std::holds_alternative<Scratch>(piece.source) &&
         !std::holds_alternative<Streamed>(piece.source);
}

/// Pieces [first, last] of the list.
struct Run {
  std::size_t first = 0;
  std::size_t last = 0;
  std::size_t count = 0;  ///< of them that are no holes
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t bytes() const { return end - begin; }
};

class Crowd {
 public:
  Crowd(const std::vector<Piece>& pieces, const JoinLimits& limits)
      : pieces_(pieces), limits_(limits) {}

  std::vector<std::vector<Piece>> find() const {
    const auto length = shortest_that_does();
    std::vector<std::vector<Piece>> found;
    std::uint64_t left = limits_.bytes_max;
    for (const Run& run : runs_up_to(length, limits_.bytes_max)) {
      if (run.bytes() > left) break;
      left -= run.bytes();
      found.emplace_back(pieces_.begin() + static_cast<std::ptrdiff_t>(run.first),
                         pieces_.begin() + static_cast<std::ptrdiff_t>(run.last) + 1);
    }
    return found;
  }

 private:
  /// Joining all pieces up to this length leaves few enough, or is more than may be written.
  std::uint64_t shortest_that_does() const {
    std::vector<std::uint64_t> lengths;
    for (const Piece& piece : pieces_) {
      if (piece.length <= limits_.piece_max) lengths.push_back(piece.length);
    }
    std::sort(lengths.begin(), lengths.end());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
    if (lengths.empty()) return 0;
    const auto found = std::partition_point(lengths.begin(), lengths.end(),
                                            [this](std::uint64_t length) { return !does(length); });
    return found == lengths.end() ? lengths.back() : *found;
  }

  bool does(std::uint64_t length) const {
    auto left = static_cast<std::size_t>(
        std::count_if(pieces_.begin(), pieces_.end(), [](const Piece& p) { return !is_hole(p); }));
    std::uint64_t bytes = 0;
    for (const Run& run : runs_up_to(length, ~std::uint64_t{0})) {
      left -= run.count - 1;
      bytes += run.bytes();
    }
    return left <= limits_.count_wanted || bytes > limits_.bytes_max;
  }

  /// Where pieces of at most that length lie beside each other, in runs of at most so many bytes.
  std::vector<Run> runs_up_to(std::uint64_t length, std::uint64_t bytes_max) const {
    std::vector<Run> runs;
    Run run;
    const auto end_run = [&] {
      if (run.count > 1) runs.push_back(run);
      run = {};
    };
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      const Piece& piece = pieces_[i];
      const std::uint64_t end = piece.offset + piece.length;
      const bool joins = piece.length <= length && can_be_joined(piece);
      if (!joins || (run.count > 0 && end - run.begin > bytes_max)) end_run();
      if (!joins || is_hole(piece)) continue;
      if (run.count == 0) {
        run.first = i;
        run.begin = piece.offset;
      }
      run.last = i;
      run.end = end;
      ++run.count;
    }
    end_run();
    return runs;
  }

  const std::vector<Piece>& pieces_;
  const JoinLimits& limits_;
};

}  // namespace

std::vector<std::vector<Piece>> crowded_runs(const std::vector<Piece>& pieces,
                                             const JoinLimits& limits) {
  return Crowd(pieces, limits).find();
}

}  // namespace sftpd::vfs
