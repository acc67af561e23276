#include "sftpd/vfs/content/crowded_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace sftpd::vfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr std::uint64_t no_end = ~std::uint64_t{0};

/// Pieces of these lengths, one behind the other; negative ones are holes.
std::vector<Piece> pieces_of(const std::vector<int>& lengths) {
  std::vector<Piece> pieces;
  std::uint64_t end = 0;
  for (const int length : lengths) {
    const auto size = static_cast<std::uint64_t>(std::abs(length));
    Source source = Zeros{};
    if (length > 0) source = Stored{metadata::ObjectId{1}, nullptr, 0, 0, nullptr};
    pieces.push_back({end, size, source});
    end += size;
  }
  return pieces;
}

/// Begin and end of each run.
std::vector<std::pair<std::uint64_t, std::uint64_t>> runs(const std::vector<Piece>& pieces,
                                                          const JoinLimits& limits) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> found;
  for (const auto& run : crowded_runs(pieces, limits)) {
    found.emplace_back(run.front().offset, run.back().offset + run.back().length);
  }
  return found;
}

TEST(CrowdedRuns, TheShortestPiecesAreJoined) {
  const auto pieces = pieces_of({100, 1, 2, 1, 50, 1, 7, 1, 100});
  EXPECT_THAT(runs(pieces, {8, no_end, no_end}), ElementsAre(Pair(100, 104)));
  EXPECT_THAT(runs(pieces, {5, no_end, no_end}), ElementsAre(Pair(100, 104), Pair(154, 163)));
  EXPECT_THAT(runs(pieces, {3, no_end, no_end}), ElementsAre(Pair(100, 163)));
  EXPECT_THAT(runs(pieces, {1, no_end, no_end}), ElementsAre(Pair(0, 263)));
}

TEST(CrowdedRuns, LongPiecesStay) {
  EXPECT_THAT(runs(pieces_of({100, 1, 100, 2, 3, 100}), {1, no_end, 50}),
              ElementsAre(Pair(201, 206)));
  EXPECT_THAT(runs(pieces_of({100, 1, 100}), {1, no_end, 50}), IsEmpty());
}

TEST(CrowdedRuns, HolesAreFilledBetweenPiecesOnly) {
  const auto pieces = pieces_of({-5, 1, -2, 1, -9, 1, -5});
  EXPECT_THAT(runs(pieces, {2, no_end, no_end}), ElementsAre(Pair(5, 9)));
  EXPECT_THAT(runs(pieces, {1, no_end, no_end}), ElementsAre(Pair(5, 19)));
}

TEST(CrowdedRuns, NoMoreIsWrittenThanAllowed) {
  const std::vector<Piece> equal = pieces_of(std::vector<int>(10, 5));
  EXPECT_THAT(runs(equal, {1, 20, no_end}), ElementsAre(Pair(0, 20)));
  EXPECT_THAT(runs(equal, {1, 9, no_end}), IsEmpty());
  EXPECT_THAT(runs(equal, {1, 0, no_end}), IsEmpty());
}

TEST(CrowdedRuns, BytesThatAreStillBeingWrittenStay) {
  auto pieces = pieces_of({1, 1, 1, 1, 1});
  pieces[2].source = Streamed{};
  EXPECT_THAT(runs(pieces, {1, no_end, no_end}), ElementsAre(Pair(0, 2), Pair(3, 5)));
  pieces[2].source = Scratch{};
  EXPECT_THAT(runs(pieces, {1, no_end, no_end}), ElementsAre(Pair(0, 2), Pair(3, 5)));
}

TEST(CrowdedRuns, AnyListKeepsWithinItsLimits) {
  std::minstd_rand random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<int> lengths(1 + random() % 60);
    for (int& length : lengths) {
      length = static_cast<int>(1 + random() % 50) * (random() % 4 == 0 ? -1 : 1);
    }
    const auto pieces = pieces_of(lengths);
    const JoinLimits limits{random() % 30, random() % 2 == 0 ? no_end : random() % 500, 45};
    std::uint64_t bytes = 0;
    std::uint64_t end = 0;
    for (const auto& run : crowded_runs(pieces, limits)) {
      EXPECT_GE(run.front().offset, end);
      end = run.back().offset + run.back().length;
      bytes += end - run.front().offset;
      EXPECT_GE(run.size(), 2U);
      EXPECT_FALSE(std::holds_alternative<Zeros>(run.front().source));
      EXPECT_FALSE(std::holds_alternative<Zeros>(run.back().source));
    }
    EXPECT_LE(bytes, limits.bytes_max);
  }
}

}  // namespace
}  // namespace sftpd::vfs
