#include "sftpd/vfs/content/rewrite_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace sftpd::vfs {
namespace {

using testing::SizeIs;

constexpr std::uint64_t smallest = 100;
constexpr RewriteSizes sizes{.part_size = 300, .sent_max = 2000};

storage::Limits small_limits() {
  storage::Limits limits;
  limits.parts_max = 50;
  limits.part_size_min = smallest;
  limits.part_size_max = 5000;
  limits.put_size_max = 5000;
  limits.copy_part_max = 400;
  return limits;
}

/// Pieces one behind the other, from `begin` on.
class Pieces {
 public:
  explicit Pieces(std::uint64_t begin = 0) : end_(begin) {}
  Pieces& stored(std::uint64_t length, std::uint64_t from = 7,
                 std::uint64_t object_size = 100'000) {
    const auto key = std::make_shared<const std::string>("key");
    return add(length, Stored{metadata::ObjectId{++number_}, key, object_size, from, nullptr});
  }
  Pieces& inlined(std::uint64_t length) {
    return add(length, Inline{std::make_shared<const std::string>(length, 'i'), 0});
  }
  Pieces& zeros(std::uint64_t length) { return add(length, Zeros{}); }
  const std::vector<Piece>& all() const { return pieces_; }

 private:
  Pieces& add(std::uint64_t length, Source source) {
    pieces_.push_back({end_, length, std::move(source)});
    end_ += length;
    return *this;
  }
  std::uint64_t end_;
  std::int64_t number_ = 0;
  std::vector<Piece> pieces_;
};

bool same_source(const Source& a, const Source& b) {
  if (a.index() != b.index()) return false;
  if (const auto* stored = std::get_if<Stored>(&a)) {
    const auto& other = std::get<Stored>(b);
    return stored->object == other.object && stored->offset == other.offset;
  }
  if (const auto* inlined = std::get_if<Inline>(&a)) {
    const auto& other = std::get<Inline>(b);
    return inlined->bytes == other.bytes && inlined->offset == other.offset;
  }
  return true;
}

/// Whether the parts bring exactly the bytes of the pieces, each from its place.
void expect_all_bytes(const std::vector<RewritePart>& parts, const std::vector<Piece>& pieces) {
  const std::uint64_t origin = pieces.front().offset;
  std::size_t whole = 0;
  std::uint64_t at = origin;
  int number = 0;
  for (const auto& part : parts) {
    ASSERT_EQ(part.number, ++number);
    ASSERT_EQ(part.offset, at - origin);
    for (const auto& piece : part.pieces) {
      ASSERT_EQ(piece.offset, at);
      ASSERT_GT(piece.length, 0U);
      while (pieces[whole].offset + pieces[whole].length <= at) ++whole;
      ASSERT_LE(at + piece.length, pieces[whole].offset + pieces[whole].length);
      ASSERT_TRUE(
          same_source(piece.source, advanced(pieces[whole].source, at - pieces[whole].offset)));
      at += piece.length;
    }
    ASSERT_EQ(at - origin, part.offset + part.length);
  }
  ASSERT_EQ(at, pieces.back().offset + pieces.back().length);
}

/// Whether a store with these limits takes the parts.
void expect_allowed(const std::vector<RewritePart>& parts, const storage::Limits& limits,
                    const RewriteSizes& given = sizes) {
  ASSERT_LE(parts.size(), static_cast<std::size_t>(limits.parts_max));
  for (const auto& part : parts) {
    const bool last = part.number == static_cast<int>(parts.size());
    ASSERT_LE(part.length, limits.part_size_max);
    if (!last) {
      ASSERT_GE(part.length, limits.part_size_min) << "part " << part.number;
    }
    if (!last && limits.parts_equal) {
      ASSERT_EQ(part.length, parts.front().length);
    }
    if (last && limits.parts_equal) {
      ASSERT_LE(part.length, parts.front().length);
    }
    if (part.copied) {
      ASSERT_TRUE(limits.part_copy);
      ASSERT_EQ(part.pieces.size(), 1U);
      ASSERT_GT(std::get<Stored>(part.pieces[0].source).object_size, limits.part_size_min);
    } else {
      ASSERT_LE(part.length, given.sent_max);
    }
  }
}

std::vector<RewritePart> plan(const Pieces& pieces, const storage::Limits& limits) {
  const auto found = plan_rewrite(pieces.all(), limits, sizes);
  EXPECT_TRUE(found);
  if (!found) return {};
  expect_all_bytes(*found, pieces.all());
  expect_allowed(*found, limits);
  return *found;
}

/// "c400 s103": parts that are copied and sent, with their lengths.
std::string shape(const std::vector<RewritePart>& parts) {
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += ' ';
    text += (part.copied ? 'c' : 's') + std::to_string(part.length);
  }
  return text;
}

std::string shape_of(const Pieces& pieces, const storage::Limits& limits = small_limits()) {
  return shape(plan(pieces, limits));
}

TEST(RewritePlan, WhatFitsTheSmallestPartIsSentAtOnce) {
  EXPECT_EQ(shape_of(Pieces().stored(50).inlined(20).zeros(5).stored(25)), "s100");
  EXPECT_EQ(shape_of(Pieces().stored(60)), "s60");
}

TEST(RewritePlan, OneStoredPieceIsCopied) {
  EXPECT_EQ(shape_of(Pieces().stored(250)), "c250");
  EXPECT_EQ(shape_of(Pieces(12345).stored(250)), "c250") << "wherever it lies in the file";
}

TEST(RewritePlan, LongCopiesAreSplitEvenly) {
  EXPECT_EQ(shape_of(Pieces().stored(1000)), "c333 c333 c334");
  EXPECT_EQ(shape_of(Pieces().stored(401)), "c200 c201");
}

TEST(RewritePlan, AnEditTakesWhatItLacksFromWhatFollows) {
  EXPECT_EQ(shape_of(Pieces().stored(300).inlined(4).stored(350)), "c300 s100 c254");
}

TEST(RewritePlan, AnEditTakesWhatItLacksFromWhatComesBeforeIfTheNextIsShort) {
  EXPECT_EQ(shape_of(Pieces().stored(300).inlined(4).stored(150).inlined(1)), "c204 s100 c150 s1");
}

TEST(RewritePlan, BetweenShortOnesTheRestIsSentToo) {
  EXPECT_EQ(shape_of(Pieces().stored(120).inlined(4).stored(150).inlined(4).stored(300)),
            "c120 s158 c300");
}

TEST(RewritePlan, TheLastPartMayBeShort) {
  EXPECT_EQ(shape_of(Pieces().stored(300).inlined(4)), "c300 s4");
  EXPECT_EQ(shape_of(Pieces().stored(300).stored(30)), "c300 s30");
  EXPECT_EQ(shape_of(Pieces().inlined(4).stored(110)), "s100 c14");
}

TEST(RewritePlan, PiecesOfSmallObjectsAreSent) {
  EXPECT_EQ(shape_of(Pieces().stored(100, 0, 100).stored(100, 0, 100).stored(300)), "s200 c300");
}

TEST(RewritePlan, SmallPiecesAreSentTogether) {
  Pieces pieces;
  for (int i = 0; i < 100; ++i) pieces.stored(10).zeros(3);
  EXPECT_EQ(shape_of(pieces), "s260 s260 s260 s260 s260");
}

TEST(RewritePlan, HolesAreSentAsZeros) {
  EXPECT_EQ(shape_of(Pieces().stored(200).zeros(500).stored(200)), "c200 s250 s250 c200");
}

TEST(RewritePlan, WithoutPartCopyAllIsSent) {
  auto limits = small_limits();
  limits.part_copy = false;
  EXPECT_EQ(shape_of(Pieces().stored(700).inlined(50).stored(150), limits), "s300 s300 s300");
}

TEST(RewritePlan, EqualPartsLieOnAGrid) {
  auto limits = small_limits();
  limits.parts_equal = true;
  EXPECT_EQ(shape_of(Pieces().stored(650).inlined(20).stored(630), limits),
            "c300 c300 s300 c300 c100");
  EXPECT_EQ(shape_of(Pieces().stored(299).stored(301).stored(50, 0, 100), limits), "s300 c300 s50");
  limits.part_copy = false;
  EXPECT_EQ(shape_of(Pieces().stored(650), limits), "s300 s300 s50");
}

TEST(RewritePlan, EqualPartsGrowSoThatThereAreNotTooMany) {
  auto limits = small_limits();
  limits.parts_equal = true;
  limits.parts_max = 4;
  EXPECT_EQ(shape_of(Pieces().stored(2002), limits), "c501 c501 c501 c499");
}

TEST(RewritePlan, CopiesGrowSoThatThereAreNotTooMany) {
  auto limits = small_limits();
  limits.parts_max = 10;
  EXPECT_EQ(shape_of(Pieces().stored(5000), limits), "c1000 c1000 c1000 c1000 c1000");
}

TEST(RewritePlan, ManyEditsMakeTheSmallestPartLarger) {
  auto limits = small_limits();
  limits.parts_max = 10;
  Pieces pieces;
  for (int i = 0; i < 10; ++i) pieces.stored(200).inlined(10);
  EXPECT_THAT(plan(pieces, limits), SizeIs(testing::Le(10)));
}

TEST(RewritePlan, WhatTheStoreCannotTakeIsNotPlanned) {
  auto limits = small_limits();
  limits.parts_max = 3;
  EXPECT_FALSE(plan_rewrite(Pieces().stored(50'000).all(), limits, sizes));
  limits.parts_equal = true;
  EXPECT_FALSE(plan_rewrite(Pieces().stored(50'000).all(), limits, sizes));
  EXPECT_FALSE(plan_rewrite({}, limits, sizes));
}

TEST(RewritePlan, PartsThatAreSentFitMemory) {
  auto limits = small_limits();
  limits.part_copy = false;
  limits.parts_max = 2;
  EXPECT_FALSE(plan_rewrite(Pieces().stored(4500).all(), limits, sizes));
  EXPECT_TRUE(plan_rewrite(Pieces().stored(3500).all(), limits, sizes));
}

TEST(RewritePlan, LimitsOfRealStoresAndLargeFiles) {
  constexpr std::uint64_t gib = std::uint64_t{1} << 30;
  const RewriteSizes real;
  Pieces pieces;
  pieces.stored(gib * 500, 0, gib * 2000).inlined(4096).stored(gib * 500, 0, gib * 2000);
  for (const bool equal : {false, true}) {
    storage::Limits limits;
    limits.parts_equal = equal;
    const auto found = plan_rewrite(pieces.all(), limits, real);
    ASSERT_TRUE(found);
    expect_all_bytes(*found, pieces.all());
    expect_allowed(*found, limits, real);
  }
}

TEST(RewritePlan, RandomPiecesAndLimits) {
  std::mt19937_64 random(20261121);
  const auto below = [&random](std::uint64_t n) { return random() % n; };
  int planned = 0;
  for (int round = 0; round < 5'000; ++round) {
    storage::Limits limits = small_limits();
    limits.parts_max = 2 + static_cast<int>(below(60));
    limits.part_size_max = 2 * smallest + below(5000);
    limits.copy_part_max = 1 + below(1000);
    limits.put_size_max = 1 + below(5000);
    limits.part_copy = below(4) > 0;
    limits.parts_equal = below(3) == 0;
    Pieces pieces(below(2) * below(1000));
    const std::uint64_t count = 1 + below(30);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t length = 1 + below(below(2) ? 20 : 700);
      const std::uint64_t kind = below(6);
      if (kind == 0) pieces.inlined(length);
      if (kind == 1) pieces.zeros(length);
      if (kind > 1) pieces.stored(length, below(100), length + 100 + below(2) * below(200));
    }
    const RewriteSizes given{.part_size = 1 + below(600), .sent_max = 400 + below(5000)};
    const auto found = plan_rewrite(pieces.all(), limits, given);
    if (!found) continue;
    ++planned;
    ASSERT_NO_FATAL_FAILURE(expect_all_bytes(*found, pieces.all())) << "round " << round;
    ASSERT_NO_FATAL_FAILURE(expect_allowed(*found, limits, given)) << "round " << round;
  }
  EXPECT_GT(planned, 3'000);
}

}  // namespace
}  // namespace sftpd::vfs
