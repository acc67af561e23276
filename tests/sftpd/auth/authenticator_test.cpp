#include "sftpd/auth/authenticator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace sftpd::auth {
namespace {

constexpr PasswordCost cheap{.passes = 1, .memory_bytes = 8192};

/// Users in memory; find() can be held up.
class Users {
 public:
  Users() {
    for (const char* name : {"alice", "bob", "mallory"}) {
      metadata::User user;
      user.id = {static_cast<std::int64_t>(users.size()) + 1};
      user.account = {40 + user.id.value};
      user.name = name;
      user.uid = 1234;
      if (user.name != "bob") user.password_hash = hash_password("right", cheap);
      user.disabled = user.name == "mallory";
      users[name] = user;
    }
  }
  UserDirectory directory() {
    return {.find = [this](const std::string& name) { return find(name); },
            .has_key =
                [this](metadata::UserId id, const std::string& type, const std::string& blob) {
                  if (broken) throw std::runtime_error("no database");
                  return (id.value == 1 || id.value == 3) && type == "ssh-ed25519" && blob == "KEY";
                },
            .set_password_hash =
                [this](metadata::UserId id, const std::string& hash) {
                  if (broken_for_writing) throw std::runtime_error("read-only");
                  std::lock_guard lock(mutex);
                  for (auto& [name, user] : users) {
                    if (user.id == id) user.password_hash = hash;
                  }
                }};
  }
  std::optional<metadata::User> find(const std::string& name) {
    std::unique_lock lock(mutex);
    ++asked;
    changed.notify_all();
    changed.wait(lock, [this] { return !held_up; });
    if (broken) throw std::runtime_error("no database");
    const auto found = users.find(name);
    if (found == users.end()) return std::nullopt;
    return found->second;
  }
  void hold_up(bool on) {
    std::lock_guard lock(mutex);
    held_up = on;
    changed.notify_all();
  }
  void wait_until_asked(int times) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return asked >= times; });
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, metadata::User> users;
  bool held_up = false;
  int asked = 0;
  std::atomic<bool> broken{false};
  std::atomic<bool> broken_for_writing{false};
};

Authenticator::Options cheap_options() {
  Authenticator::Options options;
  options.cost = cheap;
  options.now = [] { return LoginThrottle::Clock::time_point(std::chrono::seconds(1000)); };
  return options;
}

class Deciding : public ::testing::Test {
 protected:
  Refusal password(const std::string& user, const std::string& text) {
    return authenticator.check_password(user, text, "192.0.2.1").get().refusal;
  }
  Refusal key(const std::string& user, const std::string& blob = "KEY",
              const std::string& type = "ssh-ed25519") {
    return authenticator.check_key(user, type, blob).get().refusal;
  }
  Users users;
  Authenticator authenticator{users.directory(), cheap_options()};
};

TEST_F(Deciding, ALoginSaysWhoItIs) {
  const auto result = authenticator.check_password("alice", "right", "192.0.2.1").get();
  ASSERT_TRUE(result.login);
  EXPECT_EQ(result.refusal, Refusal::none);
  EXPECT_EQ(result.login->name, "alice");
  EXPECT_EQ(result.login->user.value, 1);
  EXPECT_EQ(result.login->account.value, 41);
  EXPECT_EQ(result.login->uid, 1234U);
}

TEST_F(Deciding, PasswordsAreRefusedForAReason) {
  EXPECT_EQ(password("alice", "wrong"), Refusal::wrong_password);
  EXPECT_EQ(password("nobody", "right"), Refusal::unknown_user);
  EXPECT_EQ(password("mallory", "right"), Refusal::disabled_user);
  EXPECT_EQ(password("bob", "right"), Refusal::no_password);
}

TEST_F(Deciding, WhatCannotBeNeverReachesTheDatabase) {
  EXPECT_EQ(password("", "right"), Refusal::bad_input);
  EXPECT_EQ(password("al ice", "right"), Refusal::bad_input);
  EXPECT_EQ(password(std::string("alice\0", 6), "right"), Refusal::bad_input);
  EXPECT_EQ(password(std::string(65, 'a'), "right"), Refusal::bad_input);
  EXPECT_EQ(password("alice", std::string("right\0", 6)), Refusal::bad_input);
  EXPECT_EQ(password("alice", std::string(1025, 'a')), Refusal::bad_input);
  EXPECT_EQ(key("\xff"), Refusal::bad_input);
  EXPECT_EQ(key("alice", "KEY", "ssh-dss"), Refusal::key_type);
  EXPECT_EQ(users.asked, 0);
}

TEST_F(Deciding, KeysBelongToTheirUser) {
  EXPECT_EQ(key("alice"), Refusal::none);
  EXPECT_EQ(key("alice", "OTHER"), Refusal::unknown_key);
  EXPECT_EQ(key("bob"), Refusal::unknown_key);
  EXPECT_EQ(key("nobody"), Refusal::unknown_user);
  EXPECT_EQ(key("mallory"), Refusal::disabled_user);
}

TEST_F(Deciding, WithoutADatabaseNobodyGetsIn) {
  users.broken = true;
  EXPECT_EQ(password("alice", "right"), Refusal::unavailable);
  EXPECT_EQ(key("alice"), Refusal::unavailable);
}

TEST_F(Deciding, GuessingIsThrottledBeforeAnyWork) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(password("alice", "wrong"), Refusal::wrong_password);
  const int asked = users.asked;
  EXPECT_EQ(password("alice", "right"), Refusal::throttled);
  EXPECT_EQ(users.asked, asked);
  EXPECT_EQ(key("alice"), Refusal::none);  // keys cannot be guessed
}

TEST(Authenticator, AGrownCostRenewsTheHashAtLogin) {
  Users users;
  auto options = cheap_options();
  options.cost.memory_bytes = 32768;
  Authenticator authenticator(users.directory(), options);
  const std::string before = users.users["alice"].password_hash;
  EXPECT_FALSE(authenticator.check_password("alice", "wrong", "::1").get().login);
  EXPECT_EQ(users.users["alice"].password_hash, before);
  EXPECT_TRUE(authenticator.check_password("alice", "right", "::1").get().login);
  const std::string after = users.users["alice"].password_hash;
  EXPECT_EQ(memory_to_verify(after), 32768U);
  EXPECT_TRUE(authenticator.check_password("alice", "right", "::1").get().login);
  EXPECT_EQ(users.users["alice"].password_hash, after);
}

TEST(Authenticator, ARenewalThatFailsDoesNotKeepTheUserOut) {
  Users users;
  users.broken_for_writing = true;
  auto options = cheap_options();
  options.cost.memory_bytes = 32768;
  Authenticator authenticator(users.directory(), options);
  EXPECT_TRUE(authenticator.check_password("alice", "right", "::1").get().login);
}

TEST(Authenticator, TooManyWaitingAreRefusedAndKeysGoOn) {
  Users users;
  auto options = cheap_options();
  options.password_threads = 1;
  options.waiting_max = 3;
  Authenticator authenticator(users.directory(), options);
  users.hold_up(true);
  std::vector<storage::Future<LoginResult>> answers;
  answers.push_back(authenticator.check_password("alice", "right", "::1"));
  users.wait_until_asked(1);
  for (int i = 0; i < 4; ++i)
    answers.push_back(authenticator.check_password("alice", "right", "::1"));
  EXPECT_EQ(answers.back().get().refusal, Refusal::overloaded);
  EXPECT_FALSE(answers.front().ready());
  users.hold_up(false);
  for (std::size_t i = 0; i + 1 < answers.size(); ++i) EXPECT_TRUE(answers[i].get().login);
}

TEST(Authenticator, WhatWaitsAtTheEndIsRefused) {
  Users users;
  std::vector<storage::Future<LoginResult>> answers;
  {
    auto options = cheap_options();
    options.password_threads = 1;
    Authenticator authenticator(users.directory(), options);
    users.hold_up(true);
    answers.push_back(authenticator.check_password("alice", "right", "::1"));
    users.wait_until_asked(1);
    answers.push_back(authenticator.check_password("alice", "right", "::1"));
    answers.back().on_ready([&users] { users.hold_up(false); });
  }
  EXPECT_TRUE(answers[0].get().login);
  EXPECT_EQ(answers[1].get().refusal, Refusal::unavailable);
}

TEST(Authenticator, HashingSharesItsMemory) {
  Users users;
  auto options = cheap_options();
  options.password_threads = 8;
  options.memory_max_bytes = 4096;  // less than one hash needs: one at a time
  Authenticator authenticator(users.directory(), options);
  std::vector<storage::Future<LoginResult>> answers;
  for (int i = 0; i < 50; ++i)
    answers.push_back(authenticator.check_password("alice", "right", "::1"));
  for (auto& answer : answers) EXPECT_TRUE(answer.get().login);
}

}  // namespace
}  // namespace sftpd::auth
