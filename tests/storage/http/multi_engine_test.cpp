#include "storage/http/multi_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>

#include "tests/storage/scripted_server.h"

namespace {

using namespace storage::http;
using storage::Payload;
using test_support::answer;
using test_support::cut_off;
using test_support::hang_up;
using test_support::ReceivedRequest;
using test_support::ScriptedServer;

std::future<Response> send(MultiEngine& engine, Request request) {
  auto promise = std::make_shared<std::promise<Response>>();
  auto future = promise->get_future();
  EXPECT_TRUE(engine.submit(std::move(request), [promise](Response response) {
    promise->set_value(std::move(response));
  }));
  return future;
}

Response fetch(Request request) {
  MultiEngine engine({});
  return send(engine, std::move(request)).get();
}

// Lets a test decide when the server's handlers go on.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void wait_for_arrivals(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

TEST(MultiEngine, SendsWhatIsAskedAndReadsTheAnswer) {
  ScriptedServer server({answer(206, "X-Mixed-Case:  a value \r\n", "the body")});
  const Response response = fetch({.method = "PUT",
                                   .url = server.origin() + "/a/../b//c%20d?x=%2F",
                                   .headers = {{"x-amz-meta-oid", "7"}},
                                   .body = Payload::copy_of("sent")});
  EXPECT_EQ(response.failure, Failure::none);
  EXPECT_EQ(response.status, 206);
  EXPECT_EQ(response.body_text(), "the body");
  EXPECT_EQ(find_header(response.headers, "x-mixed-case"), "a value");
  const auto request = server.requests().at(0);
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.target, "/a/../b//c%20d?x=%2F") << "not normalised";
  EXPECT_EQ(request.body, "sent");
  EXPECT_EQ(request.header("x-amz-meta-oid"), "7");
  EXPECT_EQ(request.headers.count("expect"), 0U) << "some stores never answer it";
  EXPECT_EQ(request.headers.count("content-type"), 0U) << "nobody signed one";
}

TEST(MultiEngine, EmptyBodiesHaveALength) {
  ScriptedServer server({answer(200, "", "")});
  for (const std::string method : {"PUT", "POST"}) {
    fetch({.method = method, .url = server.origin() + "/"});
  }
  for (const auto& request : server.requests()) EXPECT_EQ(request.header("content-length"), "0");
}

TEST(MultiEngine, HeadHasALengthAndNoBody) {
  ScriptedServer server({{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"}});
  const Response response = fetch({.method = "HEAD", .url = server.origin() + "/"});
  EXPECT_EQ(response.failure, Failure::none);
  EXPECT_EQ(find_header(response.headers, "content-length"), "1000");
  EXPECT_TRUE(response.body.empty());
}

TEST(MultiEngine, RedirectsAreAnswers) {
  ScriptedServer server({answer(307, "Location: /elsewhere\r\n", "")});
  EXPECT_EQ(fetch({.url = server.origin() + "/"}).status, 307);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(MultiEngine, ALargeBodyArrivesWhole) {
  ScriptedServer server({answer(200, "", "")});
  const std::string body(20U << 20, 'x');
  fetch({.method = "PUT", .url = server.origin() + "/", .body = Payload::copy_of(body)});
  EXPECT_TRUE(server.requests().at(0).body == body);
}

TEST(MultiEngine, ACutOffAnswerKeepsWhatCame) {
  ScriptedServer server({cut_off(206, "ETag: \"e\"\r\n", "0123456789", 4)});
  const Response response = fetch({.url = server.origin() + "/"});
  EXPECT_EQ(response.failure, Failure::cut_off);
  EXPECT_EQ(response.status, 206);
  EXPECT_EQ(response.body_text(), "0123");
}

TEST(MultiEngine, NoAnswerIsCutOff) {
  ScriptedServer server({hang_up()});
  EXPECT_EQ(fetch({.url = server.origin() + "/"}).failure, Failure::cut_off);
}

TEST(MultiEngine, NobodyThereIsConnect) {
  std::string origin;
  {
    ScriptedServer server({hang_up()});
    origin = server.origin();
  }
  const Response response = fetch({.url = origin + "/"});
  EXPECT_EQ(response.failure, Failure::connect);
  EXPECT_EQ(response.status, 0);
  EXPECT_FALSE(response.failure_text.empty());
}

TEST(MultiEngine, SilenceEndsAtTheTimeout) {
  Gate gate;
  ScriptedServer server([&](const ReceivedRequest&) {
    gate.wait();
    return hang_up();
  });
  const Response response =
      fetch({.url = server.origin() + "/", .timeout = std::chrono::milliseconds(50)});
  EXPECT_EQ(response.failure, Failure::timed_out);
  gate.open();
}

TEST(MultiEngine, AnAnswerThatIsTooLongFails) {
  ScriptedServer server({answer(200, "", std::string(1001, 'x'))});
  const Response response = fetch({.url = server.origin() + "/", .body_max = 1000});
  EXPECT_EQ(response.failure, Failure::too_long);
  EXPECT_LE(response.body.size(), 1000U);
}

TEST(MultiEngine, HundredsOfHeadersFail) {
  std::string headers;
  for (int i = 0; i < 1000; ++i) headers += "X-" + std::to_string(i) + ": y\r\n";
  ScriptedServer server({answer(200, headers, "")});
  EXPECT_NE(fetch({.url = server.origin() + "/"}).failure, Failure::none);
}

TEST(MultiEngine, OnlyHttpIsSpoken) {
  EXPECT_NE(fetch({.url = "file:///etc/hostname"}).failure, Failure::none);
}

TEST(MultiEngine, ConnectionsAreKept) {
  ScriptedServer server({answer(200, "", "x")});
  MultiEngine engine({});
  for (int i = 0; i < 5; ++i) send(engine, {.url = server.origin() + "/"}).get();
  EXPECT_EQ(server.connections(), 1);
}

TEST(MultiEngine, AKeptConnectionThatDiedIsReplaced) {
  ScriptedServer server({answer(200, "", "first"), hang_up(), answer(200, "", "second")});
  MultiEngine engine({});
  send(engine, {.url = server.origin() + "/"}).get();
  // libcurl sends it again by itself: the body must still be there.
  const Response response =
      send(engine, {.method = "POST", .url = server.origin() + "/", .body = Payload::copy_of("b")})
          .get();
  EXPECT_EQ(response.body_text(), "second");
  EXPECT_EQ(server.requests().at(2).body, "b");
}

TEST(MultiEngine, TransfersAtOnceAreBounded) {
  Gate gate;
  std::mutex mutex;
  int now = 0;
  int most = 0;
  ScriptedServer server([&](const ReceivedRequest&) {
    {
      std::lock_guard lock(mutex);
      most = std::max(most, ++now);
    }
    gate.wait();
    std::lock_guard lock(mutex);
    --now;
    return answer(200, "", "");
  });
  MultiEngine engine({.connections_max = 3});
  std::vector<std::future<Response>> answers;
  for (int i = 0; i < 10; ++i) answers.push_back(send(engine, {.url = server.origin() + "/"}));
  gate.wait_for_arrivals(3);
  gate.open();
  for (auto& one : answers) EXPECT_EQ(one.get().status, 200);
  EXPECT_EQ(most, 3);
}

// A store that does not get on with the parts of a bulk upload, and does with all else.
TEST(MultiEngine, SmallRequestsPassManyBulkyOnes) {
  Gate gate;
  ScriptedServer server([&](const ReceivedRequest& request) {
    if (request.target == "/part") gate.wait();
    return answer(200, "", "");
  });
  MultiEngine engine({.connections_max = 4});
  std::vector<std::future<Response>> parts;
  for (int i = 0; i < 50; ++i) {
    parts.push_back(
        send(engine, {.url = server.origin() + "/part", .turn = "upload", .bulky = true}));
  }
  gate.wait_for_arrivals(3);
  for (int i = 0; i < 20; ++i) {
    const auto passed = send(engine, {.url = server.origin() + "/small", .turn = "photo"}).get();
    EXPECT_EQ(passed.status, 200);
  }
  gate.open();
  for (auto& part : parts) EXPECT_EQ(part.get().status, 200);
}

// With one connection, whoever comes later waits for the part under way and not for all the others.
TEST(MultiEngine, TransfersTakeTurns) {
  Gate gate;
  ScriptedServer server([&](const ReceivedRequest& request) {
    if (request.target == "/first") gate.wait();
    return answer(200, "", "");
  });
  MultiEngine engine({.connections_max = 1});
  std::vector<std::future<Response>> answers;
  const auto ask = [&](const std::string& target, const std::string& turn) {
    answers.push_back(send(engine, {.url = server.origin() + target, .turn = turn, .bulky = true}));
  };
  ask("/first", "big");
  gate.wait_for_arrivals(1);
  for (const char* target : {"/big1", "/big2", "/big3"}) ask(target, "big");
  ask("/other", "other");
  gate.open();
  for (auto& one : answers) EXPECT_EQ(one.get().status, 200);
  std::string order;
  for (const auto& request : server.requests()) order += request.target;
  EXPECT_EQ(order, "/first/big1/other/big2/big3");
}

TEST(MultiEngine, AFullQueueRefuses) {
  Gate gate;
  ScriptedServer server([&](const ReceivedRequest&) {
    gate.wait();
    return answer(200, "", "");
  });
  MultiEngine engine({.connections_max = 1, .queue_max = 1});
  auto active = send(engine, {.url = server.origin() + "/"});
  gate.wait_for_arrivals(1);
  auto waiting = send(engine, {.url = server.origin() + "/"});
  EXPECT_FALSE(engine.submit({.url = server.origin() + "/"},
                             [](const Response&) { ADD_FAILURE() << "was refused"; }));
  gate.open();
  EXPECT_EQ(active.get().status, 200);
  EXPECT_EQ(waiting.get().status, 200);
}

TEST(MultiEngine, ACallbackMaySubmitEvenWhenTheQueueIsFull) {
  ScriptedServer server({answer(200, "", "x")});
  MultiEngine engine({.connections_max = 1, .queue_max = 1});
  std::promise<int> done;
  const auto next = [&](const Response&) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(engine.submit({.url = server.origin() + "/"}, [&done, i](const Response& last) {
        if (i == 2) done.set_value(last.status);
      }));
    }
  };
  EXPECT_TRUE(engine.submit({.url = server.origin() + "/"}, next));
  EXPECT_EQ(done.get_future().get(), 200);
}

TEST(MultiEngine, TimersFireInTheirOrder) {
  MultiEngine engine({});
  std::promise<void> done;
  std::vector<int> order;
  engine.run_after(std::chrono::milliseconds(30), [&] {
    order.push_back(2);
    done.set_value();
  });
  engine.run_after(std::chrono::milliseconds(5), [&] { order.push_back(1); });
  done.get_future().get();
  EXPECT_THAT(order, testing::ElementsAre(1, 2));
}

TEST(MultiEngine, ItsEndFiresTimersAndFinishesRequests) {
  ScriptedServer server({answer(200, "", "x")});
  std::atomic<int> fired{0};
  std::atomic<int> answered{0};
  {
    MultiEngine engine({.connections_max = 2});
    engine.run_after(std::chrono::hours(1), [&] { ++fired; });
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(engine.submit({.url = server.origin() + "/"}, [&](const Response& response) {
        answered += response.status == 200;
      }));
    }
  }
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(answered, 20);
}

TEST(MultiEngine, SubmittingFromManyThreads) {
  ScriptedServer server({answer(200, "", "x")});
  MultiEngine engine({.connections_max = 8});
  std::vector<std::future<void>> threads;
  std::atomic<int> answered{0};
  for (int i = 0; i < 8; ++i) {
    threads.push_back(std::async(std::launch::async, [&] {
      for (int j = 0; j < 50; ++j) {
        answered += send(engine, {.url = server.origin() + "/"}).get().status == 200;
      }
    }));
  }
  for (auto& thread : threads) thread.get();
  EXPECT_EQ(answered, 400);
}

TEST(HttpDate, IsParsed) {
  using std::chrono::system_clock;
  EXPECT_EQ(parse_http_date("Fri, 24 May 2013 00:00:00 GMT"),
            system_clock::from_time_t(1369353600));
  EXPECT_EQ(parse_http_date("soon"), std::nullopt);
}

}  // namespace
