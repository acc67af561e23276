#include "sftpd/vfs/content/content.h"

#include <gtest/gtest.h>

#include <random>

namespace sftpd::vfs {
namespace {

/// What a byte of the reference model is: which source, and where in it. Zero: a gap.
struct Byte {
  int source = 0;
  std::uint64_t offset = 0;
  bool operator==(const Byte&) const = default;
};

Stored stored(int number, std::uint64_t offset) {
  return {metadata::ObjectId{number}, std::make_shared<const std::string>("key"), 1'000'000, offset,
          nullptr};
}

Byte byte_of(const Source& source, std::uint64_t further) {
  const Source place = advanced(source, further);
  if (const auto* object = std::get_if<Stored>(&place)) {
    return {static_cast<int>(object->object.value), object->offset};
  }
  if (const auto* scratch = std::get_if<Scratch>(&place)) return {1000, scratch->offset};
  if (const auto* inlined = std::get_if<Inline>(&place)) return {2000, inlined->offset};
  return {};
}

std::vector<Byte> bytes_of(const std::vector<Piece>& pieces, std::uint64_t from) {
  std::vector<Byte> bytes;
  for (const auto& piece : pieces) {
    EXPECT_EQ(piece.offset, from + bytes.size()) << "pieces follow each other";
    for (std::uint64_t i = 0; i < piece.length; ++i) bytes.push_back(byte_of(piece.source, i));
  }
  return bytes;
}

constexpr std::size_t file_size = 400;

class ContentModel {
 public:
  explicit ContentModel(std::uint64_t seed) : random_(seed) {}

  void step() {
    const std::uint64_t offset = below(file_size);
    const std::uint64_t length = below(file_size - offset) % 60;
    switch (below(8)) {
      case 0:
        content_.truncate(offset);
        std::fill(model_.begin() + static_cast<std::ptrdiff_t>(offset), model_.end(), Byte{});
        break;
      case 1:
        content_.erase(offset, length);
        set(offset, length, Zeros{});
        break;
      default: {
        const Source source = random_source(offset);
        content_.assign(offset, length, source);
        set(offset, length, source);
      }
    }
  }

  void check() {
    ASSERT_EQ(bytes_of(content_.pieces(0, file_size), 0), model_);
    const std::uint64_t offset = below(file_size);
    const std::uint64_t length = below(file_size - offset);
    const std::vector<Byte> expected(model_.begin() + static_cast<std::ptrdiff_t>(offset),
                                     model_.begin() + static_cast<std::ptrdiff_t>(offset + length));
    ASSERT_EQ(bytes_of(content_.pieces(offset, length), offset), expected);
    std::uint64_t end = 0;
    for (const auto& piece : content_.all()) {
      ASSERT_GE(piece.offset, end) << "pieces are in order and apart";
      ASSERT_GT(piece.length, 0U);
      ASSERT_FALSE(std::holds_alternative<Zeros>(piece.source)) << "gaps are no pieces";
      end = piece.offset + piece.length;
    }
  }

 private:
  std::uint64_t below(std::uint64_t end) { return end == 0 ? 0 : random_() % end; }

  Source random_source(std::uint64_t offset) {
    switch (below(4)) {
      case 0:
        return Scratch{offset};
      case 1:
        return Inline{inline_bytes_, below(100)};
      default:
        return stored(1 + static_cast<int>(below(3)), below(2) == 0 ? offset : below(1000));
    }
  }

  void set(std::uint64_t offset, std::uint64_t length, const Source& source) {
    for (std::uint64_t i = 0; i < length; ++i) model_[offset + i] = byte_of(source, i);
  }

  std::mt19937_64 random_;
  Content content_;
  std::vector<Byte> model_ = std::vector<Byte>(file_size);
  std::shared_ptr<const std::string> inline_bytes_ = std::make_shared<std::string>(1000, 'x');
};

TEST(Content, RandomOperationsMatchAnArrayOfBytes) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    ContentModel model(seed);
    for (int i = 0; i < 150; ++i) {
      model.step();
      ASSERT_NO_FATAL_FAILURE(model.check());
    }
  }
}

TEST(Content, AStreamThatGoesOnStaysOnePiece) {
  Content content;
  for (std::uint64_t at = 0; at < 1000; at += 10) content.assign(at, 10, stored(1, at));
  EXPECT_EQ(content.count(), 1U);
  content.assign(1000, 10, stored(1, 5000));
  EXPECT_EQ(content.count(), 2U) << "another place of the object does not continue it";
}

TEST(Content, AFilledGapJoinsBothSides) {
  Content content;
  content.assign(0, 10, Scratch{0});
  content.assign(20, 10, Scratch{20});
  content.assign(10, 10, Scratch{10});
  EXPECT_EQ(content.count(), 1U);
}

TEST(Content, GapsReadAsZeros) {
  Content content;
  content.assign(10, 5, stored(1, 0));
  const auto pieces = content.pieces(0, 20);
  ASSERT_EQ(pieces.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<Zeros>(pieces[0].source));
  EXPECT_TRUE(std::holds_alternative<Stored>(pieces[1].source));
  EXPECT_TRUE(std::holds_alternative<Zeros>(pieces[2].source));
  EXPECT_EQ(pieces[2].offset, 15U);
}

TEST(Content, WritingIntoTheMiddleSplitsAPiece) {
  Content content;
  content.assign(0, 100, stored(1, 1000));
  content.assign(40, 20, Scratch{40});
  const auto pieces = content.all();
  ASSERT_EQ(pieces.size(), 3U);
  EXPECT_EQ(std::get<Stored>(pieces[2].source).offset, 1060U);
}

TEST(Content, ComesFromAVersion) {
  metadata::Version version;
  version.size = 30;
  version.extents = {{0, 10, metadata::ObjectSlice{metadata::ObjectId{7}, "key", 5, 50}},
                     {20, 3, std::string("abc")}};
  const Content content = Content::of(version);
  const auto pieces = content.pieces(0, 30);
  ASSERT_EQ(pieces.size(), 4U);
  EXPECT_EQ(std::get<Stored>(pieces[0].source).object_size, 50U);
  EXPECT_EQ(*std::get<Inline>(pieces[2].source).bytes, "abc");
}

}  // namespace
}  // namespace sftpd::vfs
