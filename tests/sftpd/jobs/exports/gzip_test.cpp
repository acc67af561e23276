#include "sftpd/jobs/exports/gzip.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace sftpd::jobs {
namespace {

std::string read(std::span<const std::byte> file, std::size_t piece) {
  GzipReader reader;
  std::string text;
  for (std::size_t at = 0; at < file.size(); at += piece) {
    reader.add(file.subspan(at, std::min(piece, file.size() - at)),
               [&](std::string_view more) { text += more; });
  }
  EXPECT_TRUE(reader.ended());
  return text;
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i * 7919);
  return text;
}

TEST(Gzip, WhatWasWrittenIsReadInPiecesOfAnySize) {
  GzipWriter writer;
  writer.add("first ");
  writer.add(long_text());
  const auto file = writer.finish();
  for (const std::size_t piece : {std::size_t{1000}, std::size_t{70'000}, file.size()}) {
    EXPECT_EQ(read(file, piece), "first " + long_text());
  }
}

TEST(Gzip, AWriterBeginsAnewBehindAFile) {
  GzipWriter writer;
  writer.add(long_text());
  writer.finish();
  writer.add("second");
  EXPECT_EQ(read(writer.finish(), 1), "second");
}

TEST(Gzip, WhatIsNoFileIsAnError) {
  GzipReader reader;
  const std::string text = "certainly not compressed";
  EXPECT_THROW(reader.add(std::as_bytes(std::span(text)), [](std::string_view) {}),
               std::runtime_error);
}

TEST(Gzip, HalfAFileHasNotEnded) {
  GzipWriter writer;
  writer.add(long_text());
  const auto file = writer.finish();
  GzipReader reader;
  reader.add(std::span(file).first(file.size() / 2), [](std::string_view) {});
  EXPECT_FALSE(reader.ended());
}

}  // namespace
}  // namespace sftpd::jobs
