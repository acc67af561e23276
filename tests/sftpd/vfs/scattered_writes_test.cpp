// However many places of a file are written to before a commit: few pieces, and the right bytes.

#include <algorithm>
#include <numeric>

#include "tests/sftpd/vfs/flatten_fixture.h"

namespace sftpd::vfs {
namespace {

class ScatteredWritesTest : public FlattenTest {
 protected:
  ScatteredWritesTest() {
    options.extents_max = 16;
    restart();
  }

  int extents(const std::string& path) { return std::stoi(extents_of(path)); }

  /// Pages of the file, each once, in random order.
  static std::vector<std::size_t> some_pages(std::size_t of, std::size_t count, unsigned seed = 1) {
    std::vector<std::size_t> pages(of);
    std::iota(pages.begin(), pages.end(), 0);
    std::shuffle(pages.begin(), pages.end(), std::minstd_rand(seed));
    pages.resize(count);
    return pages;
  }

  void write_pages(FileHandle& handle, const std::vector<std::size_t>& pages, std::size_t page_size,
                   std::string& expected) {
    for (const std::size_t page : pages) {
      const std::string bytes = noise(page_size, static_cast<unsigned>(page) + 1000);
      write(handle, page * page_size, bytes);
      expected.replace(page * page_size, page_size, bytes);
    }
  }
};

TEST_F(ScatteredWritesTest, ACommitOfManyPiecesJoinsThem) {
  std::string expected = noise(1 * mib);
  put("file", expected);
  const auto handle = open_editing("file");
  write_pages(*handle, some_pages(256, 100), 4 * kib, expected);
  EXPECT_EQ(read(*handle), expected);
  const auto other = open_reading("file");
  handle->close().get();
  EXPECT_LE(extents("file"), 16);
  EXPECT_EQ(read(*other), expected);
  EXPECT_EQ(read("file"), expected);
  EXPECT_EQ(read_elsewhere("file"), expected);
  collect();
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(ScatteredWritesTest, HandlesThatStayOpenReadOnWhatWasJoined) {
  std::string expected = noise(1 * mib);
  put("file", expected);
  const auto handle = open_editing("file");
  for (unsigned round = 0; round < 4; ++round) {
    write_pages(*handle, some_pages(256, 60, round), 4 * kib, expected);
    handle->sync().get();
    EXPECT_LE(extents("file"), 16);
    EXPECT_EQ(read(*handle), expected);
    EXPECT_EQ(read_elsewhere("file"), expected);
  }
  handle->close().get();
  EXPECT_EQ(read("file"), expected);
}

TEST_F(ScatteredWritesTest, HolesBetweenThemAreFilledAndReadAsZeros) {
  const auto handle = open("file", {.read = true, .write = true, .create = true});
  std::string expected(600 * kib, '\0');
  std::vector<std::size_t> pages;
  for (std::size_t page = 1; page < 600; page += 3) pages.push_back(page);
  write_pages(*handle, pages, kib, expected);
  expected.resize((pages.back() + 1) * kib);
  handle->close().get();
  EXPECT_LE(extents("file"), 16);
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(ScatteredWritesTest, LittleOfWhatLiesFarApartIsWrittenAgain) {
  std::string expected = noise(16 * mib);
  put("file", expected);
  const auto handle = open_editing("file");
  for (std::size_t at = 0; at < 16 * mib; at += 256 * kib) {
    write(*handle, at + 10'000, "x");
    expected[at + 10'000] = 'x';
  }
  handle->close().get();
  EXPECT_GT(extents("file"), 64);
  EXPECT_LE(std::stoull(text("SELECT sum(size) FROM objects WHERE state = 'live'")), 20 * mib + 64);
  EXPECT_TRUE(read_elsewhere("file") == expected);
}

TEST_F(ScatteredWritesTest, TheyAreJoinedWhileTheHandleIsOpen) {
  std::string expected = noise(4 * mib);
  put("file", expected);
  const auto handle = open_editing("file");
  const auto pages = some_pages(4096, 2500);
  const auto middle = pages.begin() + 1000;
  write_pages(*handle, {pages.begin(), middle}, kib, expected);
  EXPECT_GT(store.calls(Operation::complete_upload) + store.calls(Operation::put), 2)
      << "stored before anybody commits";
  EXPECT_EQ(read(*handle), expected);
  EXPECT_EQ(read_elsewhere("file"), noise(4 * mib)) << "and nobody else's yet";
  write_pages(*handle, {middle, pages.end()}, kib, expected);
  EXPECT_EQ(read("file"), expected);
  handle->close().get();
  EXPECT_LE(extents("file"), 16);
  EXPECT_EQ(read_elsewhere("file"), expected);
  collect();
  EXPECT_EQ(read_elsewhere("file"), expected);
  EXPECT_EQ(static_cast<int>(memory_store.object_count()), live_objects());
}

TEST_F(ScatteredWritesTest, ThereIsAnEndWhereTheyCannotBeJoined) {
  put("file", "old");
  const auto handle = open_editing("file");
  const std::uint64_t far = 100 * mib;
  std::optional<ErrorCode> refused;
  std::uint64_t count = 0;
  for (; !refused && count < 10'000; ++count) {
    refused = code_of([&] { write(*handle, (count + 1) * far, "x"); });
  }
  EXPECT_EQ(refused, ErrorCode::too_scattered);
  EXPECT_NEAR(static_cast<double>(count), 16 * 256, 16 * 4);
  EXPECT_EQ(code_of([&] { handle->close().get(); }), ErrorCode::too_scattered);
  EXPECT_EQ(read_elsewhere("file"), "old");
}

TEST_F(ScatteredWritesTest, CopiesCannotMakeMoreOfThemEither) {
  const auto source = open("source", {.read = true, .write = true, .create = true});
  for (std::uint64_t i = 1; i <= 700; ++i) write(*source, i * 100 * mib, "x");
  source->close().get();
  ASSERT_EQ(extents("source"), 700);
  const auto from = open_reading("source");
  const auto target = open("target", {.read = true, .write = true, .create = true});
  std::optional<ErrorCode> refused;
  for (std::uint64_t i = 0; !refused && i < 20; ++i) {
    refused = code_of([&] { from->copy_to(0, 0, *target, i * (std::uint64_t{1} << 40)).get(); });
  }
  EXPECT_EQ(refused, ErrorCode::too_scattered);
}

TEST_F(ScatteredWritesTest, RandomWritesOfAnySizeReadBackEverywhere) {
  for (unsigned seed = 0; seed < 6; ++seed) {
    std::minstd_rand random(seed);
    const std::string path = "file-" + std::to_string(seed);
    std::string expected = noise(200 * kib + random() % (600 * kib), seed);
    put(path, expected);
    for (int commit = 0; commit < 3; ++commit) {
      const auto handle = open_editing(path);
      for (unsigned i = 0; i < 400; ++i) {
        const std::size_t at = random() % (expected.size() + 20 * kib);
        const std::string bytes = noise(1 + random() % (random() % 8 == 0 ? 9 * kib : 700), i);
        write(*handle, at, bytes);
        if (expected.size() < at + bytes.size()) expected.resize(at + bytes.size(), '\0');
        expected.replace(at, bytes.size(), bytes);
        if (random() % 150 == 0) handle->sync().get();
      }
      EXPECT_TRUE(read(*handle) == expected) << path;
      handle->close().get();
      EXPECT_LE(extents(path), 16) << path;
      EXPECT_TRUE(read_elsewhere(path) == expected) << path;
    }
  }
  collect();
  EXPECT_EQ(static_cast<int>(memory_store.object_count()), live_objects());
}

}  // namespace
}  // namespace sftpd::vfs
