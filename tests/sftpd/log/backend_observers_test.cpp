#include "sftpd/log/backend_observers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sftpd/log/log.h"

namespace sftpd::log {
namespace {

class Observing : public ::testing::Test {
 protected:
  void SetUp() override {
    start({Level::info, true});
    ::testing::internal::CaptureStderr();
  }
  static std::string written() { return ::testing::internal::GetCapturedStderr(); }
};

TEST_F(Observing, AStoreThatFailsIsAWarning) {
  StoreLog observer;
  observer.call_finished({.operation = "PutObject", .key = "a/b", .ok = true, .failure = {}});
  observer.call_retried({.operation = "PutObject",
                         .key = "a/b",
                         .attempt = 1,
                         .status = 503,
                         .delay = std::chrono::milliseconds(200),
                         .reason = "SlowDown"});
  observer.call_finished({.operation = "PutObject",
                          .key = "a/b",
                          .ok = false,
                          .status = 500,
                          .attempts = 3,
                          .duration = std::chrono::milliseconds(1500),
                          .failure = "Internal error\nforged"});
  EXPECT_EQ(written(),
            "<6>store retried operation=PutObject key=a/b attempt=1 status=503 delay_ms=200 "
            "reason=SlowDown\n"
            "<4>store failed operation=PutObject key=a/b status=500 attempts=3 seconds=1.500 "
            "reason=\"Internal error\\nforged\"\n");
}

TEST_F(Observing, ALostDatabaseIsAWarning) {
  DatabaseLog observer;
  observer.database_connected();
  observer.database_lost("server closed the connection");
  observer.migration_applied("0001_accounts");
  EXPECT_EQ(written(),
            "<4>database lost reason=\"server closed the connection\"\n"
            "<6>migration applied name=0001_accounts\n");
}

}  // namespace
}  // namespace sftpd::log
