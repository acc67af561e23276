#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/storage/s3/store_on_script.h"

namespace {

using namespace storage;
using namespace std::chrono_literals;
using namespace test_support;

ScriptedAnswer partial(const std::string& range, const std::string& body) {
  return answer(206, etag_header + "Content-Range: bytes " + range + "\r\n", body);
}

TEST(S3ObjectStore, RangesAreAskedAndChecked) {
  ScriptedServer server({partial("2-4/10", "234")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(store.get(key, {2, 3}).get().text(), "234");
  EXPECT_EQ(server.requests().at(0).header("range"), "bytes=2-4");
}

TEST(S3ObjectStore, AnswersThatAreNotTheRangeAreRetriedThenCorrupted) {
  const std::vector<ScriptedAnswer> wrong = {
      partial("3-5/10", "345"),                // another place
      partial("2-4/10", "23"),                 // shorter than it says
      partial("2-3/10", "23"),                 // shorter than asked, not at the end
      partial("4-2/10", "234"),                // nonsense
      answer(206, etag_header, "234"),         // says no place
      answer(200, etag_header, "0123456789"),  // the whole object
  };
  for (const auto& bad : wrong) {
    ScriptedServer mended({bad, partial("2-4/10", "234")});
    EXPECT_EQ(s3::S3ObjectStore(quick_options(mended)).get(key, {2, 3}).get().text(), "234");
    ScriptedServer broken({bad});
    s3::S3ObjectStore store(quick_options(broken));
    EXPECT_EQ(failure_of([&] {
                store.get(key, {2, 3}).get();
              }).first,
              ErrorCode::corrupted)
        << bad.bytes;
  }
}

TEST(S3ObjectStore, AWholeObjectAnswersARangeThatCoversIt) {
  ScriptedServer server({answer(200, etag_header, "0123456789")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(store.get(key, {0, 100}).get().text(), "0123456789");
}

TEST(S3ObjectStore, ACutOffReadGoesOnWhereItStopped) {
  ScriptedServer server({cut_off(206, etag_header + "Content-Range: bytes 2-7/10\r\n", "234567", 4),
                         partial("6-7/10", "67")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(store.get(key, {2, 6}).get().text(), "234567");
  const auto rest = server.requests().at(1);
  EXPECT_EQ(rest.header("range"), "bytes=6-7");
  EXPECT_EQ(rest.header("if-match"), "\"e1\"") << "of the same content";
}

TEST(S3ObjectStore, AReadAcrossAChangeIsCorrupted) {
  ScriptedServer server({cut_off(206, etag_header + "Content-Range: bytes 2-7/10\r\n", "234567", 4),
                         error_answer(412, "PreconditionFailed")});
  s3::S3ObjectStore store(quick_options(server));
  EXPECT_EQ(failure_of([&] { store.get(key, {2, 6}).get(); }).first, ErrorCode::corrupted);
}

TEST(S3ObjectStore, AnswersLongerThanTheBoundAreRejected) {
  ScriptedServer server({partial("0-199999/200000", std::string(200'000, 'x'))});
  auto options = quick_options(server);
  options.get_size_max = 100'000;
  s3::S3ObjectStore store(options);
  EXPECT_EQ(failure_of([&] { store.get(key, {0, 200'000}).get(); }).first, ErrorCode::rejected);
  EXPECT_EQ(server.requests().size(), 1U);
}

}  // namespace
