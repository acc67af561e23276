#include "sftpd/vfs/open_file/operation_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "sftpd/vfs/executor.h"
#include "sftpd/vfs/writing/memory_pool.h"

namespace sftpd::vfs {
namespace {

using ::testing::ElementsAre;

/// A queue that its operations keep alive, as an open file.
struct Owner {
  Owner(Executor& executor, MemoryPool& memory) : queue(executor, memory) {}
  OperationQueue queue;
};

class OperationQueueTest : public ::testing::Test {
 protected:
  storage::Future<void> submit(OperationQueue::Operation operation) {
    return owner->queue.submit(owner, std::move(operation));
  }

  /// An operation that holds the executor's thread until `gate` opens.
  OperationQueue::Operation waiting_for(std::shared_ptr<storage::Promise<void>> gate) {
    return [gate, future = gate->future()](bool may_wait) mutable {
      if (!may_wait) return Step::needs_thread;
      future.get();
      return Step::done;
    };
  }

  MemoryPool memory{std::size_t{1} << 20};
  Executor executor{2};
  std::shared_ptr<Owner> owner = std::make_shared<Owner>(executor, memory);
};

TEST_F(OperationQueueTest, RunsAtOnceOnTheCallersThreadWhatNeedsNotWait) {
  std::thread::id ran;
  auto future = submit([&](bool may_wait) {
    EXPECT_FALSE(may_wait);
    ran = std::this_thread::get_id();
    return Step::done;
  });
  EXPECT_TRUE(future.ready());
  EXPECT_EQ(ran, std::this_thread::get_id());
  EXPECT_TRUE(owner->queue.idle());
}

TEST_F(OperationQueueTest, TakesWhatMustWaitToTheExecutor) {
  std::thread::id ran;
  submit([&](bool may_wait) {
    if (!may_wait) return Step::needs_thread;
    ran = std::this_thread::get_id();
    return Step::done;
  }).get();
  EXPECT_NE(ran, std::this_thread::get_id());
}

TEST_F(OperationQueueTest, KeepsTheOrderBehindOneThatWaits) {
  const auto gate = std::make_shared<storage::Promise<void>>();
  std::vector<int> order;
  auto first = submit([&, wait = waiting_for(gate)](bool may_wait) mutable {
    const Step step = wait(may_wait);
    if (step == Step::done) order.push_back(1);
    return step;
  });
  std::vector<storage::Future<void>> rest;
  for (int i = 2; i <= 5; ++i) {
    rest.push_back(submit([&order, i](bool) {
      order.push_back(i);
      return Step::done;
    }));
  }
  EXPECT_FALSE(owner->queue.idle());
  EXPECT_FALSE(rest.back().ready());
  gate->set_value();
  first.get();
  for (auto& future : rest) future.get();
  EXPECT_THAT(order, ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(OperationQueueTest, TriesAgainWhenMemoryIsReleased) {
  MemoryPool::Share share(memory);
  ASSERT_TRUE(share.try_reserve(memory.capacity()));
  std::atomic<int> tries = 0;
  MemoryPool::Share wanting(memory);
  auto future = submit([&](bool) {
    ++tries;
    return wanting.try_reserve(1000) ? Step::done : Step::needs_memory;
  });
  auto behind = submit([](bool) { return Step::done; });
  EXPECT_EQ(tries, 1);
  EXPECT_FALSE(future.ready());
  EXPECT_FALSE(behind.ready());
  share.release(memory.capacity());
  future.get();
  behind.get();
  EXPECT_EQ(tries, 2);
}

TEST_F(OperationQueueTest, AnExceptionIsTheFuturesAndTheNextGoesOn) {
  auto failed = submit([](bool) -> Step { throw std::runtime_error("no"); });
  EXPECT_THROW(failed.get(), std::runtime_error);
  auto later = submit([](bool may_wait) -> Step {
    if (!may_wait) return Step::needs_thread;
    throw std::runtime_error("no");
  });
  auto next = submit([](bool) { return Step::done; });
  EXPECT_THROW(later.get(), std::runtime_error);
  next.get();
}

TEST_F(OperationQueueTest, OperationsKeepTheirOwnerAlive) {
  const auto gate = std::make_shared<storage::Promise<void>>();
  auto future = submit(waiting_for(gate));
  auto behind = submit([](bool) { return Step::done; });
  const std::weak_ptr<Owner> watched = owner;
  owner = nullptr;
  EXPECT_FALSE(watched.expired());
  gate->set_value();
  future.get();
  behind.get();
}

TEST_F(OperationQueueTest, AnAnswerMaySubmitTheNextOperation) {
  int ran = 0;
  auto first = submit([&](bool may_wait) {
    if (!may_wait) return Step::needs_thread;
    ++ran;
    return Step::done;
  });
  const auto both = std::make_shared<storage::Promise<void>>();
  first.on_ready([this, both, &ran] {
    submit([&ran](bool) {
      ++ran;
      return Step::done;
    }).on_ready([both] { both->set_value(); });
  });
  both->future().get();
  EXPECT_EQ(ran, 2);
}

TEST_F(OperationQueueTest, ManyThreadsMaySubmit) {
  int count = 0;  // Not atomic: operations must not overlap.
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        submit([&, waits = (i + t) % 7 == 0](bool may_wait) {
          if (waits && !may_wait) return Step::needs_thread;
          ++count;
          return Step::done;
        }).get();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, 2000);
}

TEST(Executor, FinishesWhatWasSubmittedBeforeItGoes) {
  std::atomic<int> done = 0;
  {
    Executor executor(3);
    for (int i = 0; i < 100; ++i) executor.submit([&] { ++done; });
  }
  EXPECT_EQ(done, 100);
}

}  // namespace
}  // namespace sftpd::vfs
