#include "sftpd/ssh/output_queue.h"

#include <gtest/gtest.h>

#include <span>
#include <string>

namespace sftpd::ssh {
namespace {

using Stream = OutputQueue::Stream;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// All of it, taken in pieces; error output in capitals' brackets.
std::string drained(OutputQueue& queue, std::size_t piece) {
  std::string all;
  while (!queue.empty()) {
    const bool error = queue.front_stream() == Stream::error;
    const auto bytes = queue.front(piece);
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    all += error ? "[" + text + "]" : text;
    queue.pop(bytes.size());
  }
  return all;
}

TEST(OutputQueue, KeepsTheOrderOfBothStreams) {
  OutputQueue queue;
  queue.push(Stream::output, bytes_of("one "));
  queue.push(Stream::output, bytes_of("two "));
  queue.push(Stream::error, bytes_of("oh"));
  queue.push(Stream::output, bytes_of("three"));
  EXPECT_EQ(queue.size(), 15U);
  EXPECT_EQ(drained(queue, 1000), "one two [oh]three");
  EXPECT_EQ(queue.size(), 0U);
}

TEST(OutputQueue, AnyPiecesMakeTheSameWhole) {
  for (std::size_t piece : {1U, 7U, 4096U, 100'000U}) {
    OutputQueue queue;
    std::string expected;
    std::string got;
    for (int i = 0; i < 300; ++i) {
      const std::string text(static_cast<std::size_t>(i * 37 % 9000),
                             static_cast<char>('a' + i % 26));
      queue.push(Stream::output, bytes_of(text));
      expected += text;
      if (i % 3 == 0 && !queue.empty()) {
        const auto bytes = queue.front(piece);
        got.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        queue.pop(bytes.size());
      }
    }
    got += drained(queue, piece);
    EXPECT_EQ(got, expected) << piece;
  }
}

TEST(OutputQueue, AHeaderLeavesTogetherWithWhatFollowsIt) {
  for (const std::size_t size : {4096U, 32'768U, 261'120U}) {
    OutputQueue queue;
    for (int reply = 0; reply < 3; ++reply) {
      queue.push(Stream::output, bytes_of("header"));
      queue.push(Stream::output, bytes_of(std::string(size, 'x')));
    }
    for (int reply = 0; reply < 3; ++reply) {
      EXPECT_EQ(queue.front(1'000'000).size(), size + 6);
      queue.pop(size + 6);
    }
    EXPECT_TRUE(queue.empty());
  }
}

TEST(OutputQueue, IsEmptyAfterClear) {
  OutputQueue queue;
  queue.push(Stream::output, bytes_of("gone"));
  queue.pop(2);
  queue.clear();
  EXPECT_TRUE(queue.empty());
  queue.push(Stream::output, bytes_of("here"));
  EXPECT_EQ(drained(queue, 3), "here");
}

}  // namespace
}  // namespace sftpd::ssh
