#include "sftpd/log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace sftpd::log {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

std::string value(std::string_view text) {
  return format("e", {{"v", text}}).substr(std::string_view("e v=").size());
}

TEST(Log, ALineIsEventAndFields) {
  EXPECT_EQ(format("login refused", {{"conn", 7},
                                     {"user", "alice"},
                                     {"bytes", std::uint64_t{18446744073709551615U}},
                                     {"delta", -1},
                                     {"seconds", 1.5},
                                     {"again", true}}),
            "login refused conn=7 user=alice bytes=18446744073709551615 delta=-1 seconds=1.500 "
            "again=yes");
}

TEST(Log, PlainWordsStayBare) {
  EXPECT_EQ(value("/photos/2024/IMG_1.jpg"), "/photos/2024/IMG_1.jpg");
  EXPECT_EQ(value("SHA256:abc+/x"), "SHA256:abc+/x");
}

TEST(Log, WhatIsNotPlainIsQuoted) {
  EXPECT_EQ(value(""), "\"\"");
  EXPECT_EQ(value("two words"), "\"two words\"");
  EXPECT_EQ(value("a=b"), "\"a=b\"");
  EXPECT_EQ(value("say \"hi\" \\o/"), "\"say \\\"hi\\\" \\\\o/\"");
}

TEST(Log, NoValueForgesALine) {
  EXPECT_EQ(value("x\n2026-01-01 info login user=root"), "\"x\\n2026-01-01 info login user=root\"");
  EXPECT_EQ(value("a\r\tb"), "\"a\\r\\tb\"");
  EXPECT_EQ(value(std::string_view("a\0b", 3)), "\"a\\x00b\"");
  EXPECT_EQ(value("\x1b[31mred\x7f"), "\"\\x1b[31mred\\x7f\"");
}

TEST(Log, NamesOfAllLanguagesStayReadable) {
  EXPECT_EQ(value("Größe"), "\"Größe\"");
  EXPECT_EQ(value("写真"), "\"写真\"");
  EXPECT_EQ(value("📷"), "\"📷\"");
}

TEST(Log, WhatIsNoTextIsHex) {
  EXPECT_EQ(value("\xff\xfe"), "\"\\xff\\xfe\"");
  EXPECT_EQ(value("\xc3"), "\"\\xc3\"");
  EXPECT_EQ(value("\xc0\xaf"), "\"\\xc0\\xaf\"");           // overlong
  EXPECT_EQ(value("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"");  // a surrogate
  EXPECT_EQ(value("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"");
}

TEST(Log, WhatTurnsTextAroundIsHex) {
  EXPECT_EQ(value("a\xe2\x80\xae"
                  "gpj.exe"),
            "\"a\\xe2\\x80\\xaegpj.exe\"");                 // U+202E
  EXPECT_EQ(value("\xe2\x80\xa8"), "\"\\xe2\\x80\\xa8\"");  // U+2028
  EXPECT_EQ(value("\xc2\x85"), "\"\\xc2\\x85\"");           // U+0085
}

TEST(Log, LongValuesAreCut) {
  EXPECT_EQ(value(std::string(1024, 'a')).size(), 1024U);
  EXPECT_THAT(value(std::string(5000, 'a')), EndsWith("a...\""));
  EXPECT_LT(value(std::string(5000, 'a')).size(), 1100U);
}

TEST(Log, LevelsHaveNames) {
  EXPECT_EQ(parse_level("debug"), Level::debug);
  EXPECT_EQ(parse_level("warning"), Level::warning);
  EXPECT_THROW(parse_level("loud"), std::invalid_argument);
}

/// What lands on standard error while `act` runs.
template <class Act>
std::string written(const Options& options, Act act) {
  start(options);
  ::testing::internal::CaptureStderr();
  act();
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, LinesHaveATimeAndALevel) {
  EXPECT_THAT(written({Level::info, false},
                      [] {
                        warning("it rains", {{"mm", 3}});
                      }),
              MatchesRegex("[-0-9]+T[:0-9]+\\.[0-9]+[+-][:0-9]+ warning it rains mm=3\n"));
}

TEST(Log, JournaldGetsAPriorityInstead) {
  EXPECT_EQ(written({Level::debug, true},
                    [] {
                      debug("a");
                      info("b");
                      warning("c");
                      error("d");
                    }),
            "<7>a\n<6>b\n<4>c\n<3>d\n");
}

/// What JOURNAL_STREAM is where standard error is the journal.
std::string stream_of_stderr() {
  struct stat found {};
  ::fstat(STDERR_FILENO, &found);
  return std::to_string(found.st_dev) + ":" + std::to_string(found.st_ino);
}

TEST(Log, JournaldsFormatIsForTheStreamItNames) {
  const std::string ours = stream_of_stderr();
  for (const std::string& stream : {ours + "0", "1" + ours, std::string("8:1"), std::string("yes"),
                                    std::string(), " " + ours}) {
    ::setenv("JOURNAL_STREAM", stream.c_str(), 1);
    EXPECT_FALSE(Options::from_environment(Level::info).for_journald) << stream;
  }
  ::setenv("JOURNAL_STREAM", ours.c_str(), 1);
  EXPECT_TRUE(Options::from_environment(Level::warning).for_journald);
  EXPECT_EQ(Options::from_environment(Level::warning).level, Level::warning);
  ::unsetenv("JOURNAL_STREAM");
  EXPECT_FALSE(Options::from_environment(Level::info).for_journald);
}

TEST(Log, LowerLevelsAreNotWritten) {
  EXPECT_EQ(written({Level::error, true}, [] { warning("quiet"); }), "");
  EXPECT_FALSE(enabled(Level::warning));
  EXPECT_TRUE(enabled(Level::error));
}

TEST(Log, PercentSignsAndBracesAreText) {
  EXPECT_EQ(written({Level::info, true},
                    [] {
                      info("x", {{"v", "%v{}%n{0}"}});
                    }),
            "<6>x v=%v{}%n{0}\n");
}

TEST(Log, AFailedTransferSaysWhy) {
  EXPECT_EQ(written({Level::info, true},
                    [] {
                      transfer({.connection = 3,
                                .channel = 2,
                                .request = 7,
                                .user = "alice",
                                .path = "/a b",
                                .bytes_read = 0,
                                .bytes_written = 10,
                                .seconds = 0.25,
                                .failure = "quota exceeded"});
                    }),
            "<4>transfer failed conn=3 channel=2 req=7 user=alice path=\"/a b\" read=0 written=10 "
            "seconds=0.250 reason=\"quota exceeded\"\n");
}

}  // namespace
}  // namespace sftpd::log
