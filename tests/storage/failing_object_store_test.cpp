#include "tests/support/failing_object_store.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/support/memory_object_store.h"

namespace {

using namespace storage;
using namespace std::chrono_literals;
using test_support::FailingObjectStore;
using test_support::Fault;
using test_support::MemoryObjectStore;
using test_support::Operation;

const ObjectKey key{"a"};

class FailingObjectStoreTest : public testing::Test {
 protected:
  bool put_works() {
    try {
      store_.put(key, Payload::copy_of("content"), {}).get();
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  MemoryObjectStore memory_;
  FailingObjectStore store_{memory_};
};

TEST_F(FailingObjectStoreTest, RefusesByScript) {
  store_.add({.operation = Operation::put, .fault = Fault::refuse, .skip = 1, .times = 2});
  EXPECT_TRUE(put_works());
  memory_.remove(key).get();
  EXPECT_FALSE(put_works());
  EXPECT_FALSE(put_works());
  EXPECT_EQ(memory_.object_count(), 0U);
  EXPECT_TRUE(put_works());
  EXPECT_EQ(store_.calls(Operation::put), 4);
}

TEST_F(FailingObjectStoreTest, LosesAnswersOfWorkThatWasDone) {
  store_.add({.operation = Operation::put, .fault = Fault::lose_answer});
  EXPECT_FALSE(put_works());
  EXPECT_EQ(memory_.object_count(), 1U);
}

TEST_F(FailingObjectStoreTest, CorruptsOneBit) {
  put_works();
  store_.add({.operation = Operation::get, .fault = Fault::corrupt});
  EXPECT_NE(store_.get(key, {0, 100}).get().text(), "content");
  EXPECT_EQ(store_.get(key, {0, 100}).get().text(), "content");
}

TEST_F(FailingObjectStoreTest, CutsBodiesOff) {
  put_works();
  store_.add({.operation = Operation::get, .fault = Fault::cut_off});
  EXPECT_EQ(store_.get(key, {0, 100}).get().text(), "con");
  EXPECT_EQ(store_.get(key, {0, 100}).get().text(), "content");
}

TEST_F(FailingObjectStoreTest, DoesThingsTwice) {
  store_.add({.operation = Operation::create_upload, .fault = Fault::repeat});
  store_.create_upload(key, {.user_metadata = {{"oid", "1"}}, .sha256_hex = {}}).get();
  EXPECT_EQ(memory_.upload_count(), 2U);
  EXPECT_EQ(store_.calls(Operation::create_upload), 1);
}

TEST_F(FailingObjectStoreTest, HoldsAnswersUntilReleased) {
  put_works();
  store_.add({.operation = Operation::get, .fault = Fault::hold});
  auto held = store_.get(key, {0, 100});
  store_.wait_until_held(1);
  EXPECT_FALSE(held.ready());
  store_.release();
  EXPECT_EQ(held.get().text(), "content");
}

TEST_F(FailingObjectStoreTest, DelaysAnswersFromItsOwnThread) {
  put_works();
  store_.add({.operation = Operation::get, .fault = Fault::delay, .delay = 1ms});
  std::promise<std::thread::id> answered_on;
  auto delayed = store_.get(key, {0, 100});
  delayed.on_ready([&] { answered_on.set_value(std::this_thread::get_id()); });
  EXPECT_NE(answered_on.get_future().get(), std::this_thread::get_id());
  EXPECT_EQ(delayed.get().text(), "content");
}

TEST_F(FailingObjectStoreTest, FailsTheSameWayForTheSameSeed) {
  const auto run = [&](std::uint64_t seed) {
    store_.fail_randomly(seed, 0.5);
    std::string outcomes;
    for (int i = 0; i < 50; ++i) outcomes += put_works() ? '+' : '-';
    return outcomes;
  };
  const std::string first = run(7);
  EXPECT_EQ(run(7), first);
  EXPECT_NE(run(8), first);
  store_.clear();
  EXPECT_TRUE(put_works());
}

}  // namespace
