#include "sftpd/jobs/exports/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace sftpd::jobs {
namespace {

using testing::HasSubstr;

Manifest example() {
  return {.time = "2026-11-20T03:00:00Z",
          .program = "0.1.0",
          .head = {.schema = "0018_files_of_nodes",
                   .database = "1795406400000000",
                   .sequences = {{"nodes", 12}}},
          .files = {{"nodes", "00001-nodes.jsonl.gz", 3, 99, std::string(64, 'a')},
                    {"nodes", "00002-nodes.jsonl.gz", 4, 1, std::string(64, 'b')},
                    {"users", "00003-users.jsonl.gz", 1, 7, std::string(64, 'c')}}};
}

std::string error_of(const std::string& text) {
  try {
    Manifest::parse(text);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

std::string signed_again(const std::string& body) {
  return body + "sha256 " + sha256_hex(body) + "\n";
}

TEST(Manifest, ItsTextSaysAllOfIt) {
  const std::string text = example().text();
  EXPECT_THAT(text, testing::StartsWith("shoebox-metadata-export 1\ntime 2026-11-20T03:00:00Z\n"));
  EXPECT_EQ(Manifest::parse(text).text(), text);
  EXPECT_EQ(Manifest::parse(text).rows(), 8U);
  EXPECT_EQ(Manifest::parse(text).size_bytes(), 107U);
  EXPECT_EQ(Manifest::parse(text).rows_of("nodes"), 7U);
}

TEST(Manifest, TheHashIsThatOfTheLinesBefore) {
  // printf hello | sha256sum
  EXPECT_EQ(sha256_hex("hello"),
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
}

TEST(Manifest, EveryChangeIsNoticed) {
  const std::string text = example().text();
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_THAT(error_of(changed), HasSubstr("damaged")) << i;
    EXPECT_THAT(error_of(text.substr(0, i)), HasSubstr("damaged")) << i;
  }
}

TEST(Manifest, ANewerFormatIsRefusedAndNewLinesAreNot) {
  EXPECT_THAT(error_of(signed_again("shoebox-metadata-export 2\nschema x\n")), HasSubstr("newer"));
  const auto read = Manifest::parse(
      signed_again("shoebox-metadata-export 1\nschema s\ndatabase 1\ncolour blue\n"));
  EXPECT_EQ(read.head.schema, "s");
}

}  // namespace
}  // namespace sftpd::jobs
