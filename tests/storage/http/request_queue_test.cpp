#include "storage/http/request_queue.h"

#include <gtest/gtest.h>

namespace storage::http {
namespace {

void push(RequestQueue& queue, const std::string& url, const std::string& turn, bool bulky) {
  queue.push({.request = {.url = url, .turn = turn, .bulky = bulky}, .done = {}});
}

/// The requests that begin now, by their URLs.
std::string begin(RequestQueue& queue) {
  std::string begun;
  while (queue.ready()) begun += queue.pop().request.url;
  return begun;
}

TEST(RequestQueue, TurnsComeOneAfterTheOther) {
  RequestQueue queue(100);
  for (const char* url : {"a", "b", "c"}) push(queue, url, "one", false);
  push(queue, "x", "two", false);
  push(queue, "y", "three", false);
  push(queue, "z", "two", false);
  EXPECT_EQ(begin(queue), "axybzc");
  EXPECT_TRUE(queue.empty());
}

TEST(RequestQueue, BulkyOnesLeaveAQuarterFree) {
  RequestQueue queue(8);
  for (int i = 0; i < 10; ++i) push(queue, "B", std::to_string(i), true);
  EXPECT_EQ(begin(queue), "BBBBBB");
  push(queue, "s", "small", false);
  push(queue, "s", "small", false);
  EXPECT_EQ(begin(queue), "ss");
  EXPECT_EQ(queue.active(), 8U);
  queue.ended(true);
  EXPECT_EQ(queue.active(), 7U);
  push(queue, "s", "small", false);
  EXPECT_EQ(begin(queue), "s") << "small ones go first";
  queue.ended(false);
  EXPECT_EQ(begin(queue), "B");
}

TEST(RequestQueue, SmallOnesLeaveAQuarterToBulkyOnesThatWait) {
  RequestQueue queue(8);
  for (int i = 0; i < 20; ++i) push(queue, "s", "small", false);
  EXPECT_EQ(begin(queue), "ssssssss") << "all, while nobody else wants any";
  for (int i = 0; i < 5; ++i) push(queue, "B", "big", true);
  std::string begun;
  for (int i = 0; i < 6; ++i) {
    queue.ended(false);
    begun += begin(queue);
  }
  EXPECT_EQ(begun, "BsBsss");
}

TEST(RequestQueue, OneConnectionAlternates) {
  RequestQueue queue(1);
  for (int i = 0; i < 3; ++i) {
    push(queue, "s", "small", false);
    push(queue, "B", "big", true);
  }
  std::string begun = begin(queue);
  while (!queue.empty()) {
    queue.ended(begun.back() == 'B');
    begun += begin(queue);
  }
  EXPECT_EQ(begun, "BsBsBs");
}

}  // namespace
}  // namespace storage::http
