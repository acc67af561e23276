#include "sftpd/auth/password.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace sftpd::auth {
namespace {

constexpr PasswordCost cheap{.passes = 1, .memory_bytes = 8192};

TEST(Password, IsRightOrWrong) {
  const std::string hash = hash_password("correct horse", cheap);
  EXPECT_EQ(hash.rfind("$argon2id$v=19$m=8,t=1,p=1$", 0), 0U);
  EXPECT_TRUE(verify_password(hash, "correct horse"));
  EXPECT_FALSE(verify_password(hash, "correct horsf"));
  EXPECT_FALSE(verify_password(hash, ""));
  EXPECT_NE(hash, hash_password("correct horse", cheap));
}

TEST(Password, NoHashFitsNoPassword) {
  for (const char* hash : {"", "x", "$argon2id$", "plain text"}) {
    EXPECT_FALSE(verify_password(hash, "plain text")) << hash;
  }
  EXPECT_FALSE(verify_password(std::string(1000, '$'), "a"));
}

TEST(Password, NulAndLengthAreRefused) {
  EXPECT_THROW(hash_password("", cheap), std::invalid_argument);
  EXPECT_THROW(hash_password(std::string("a\0b", 3), cheap), std::invalid_argument);
  EXPECT_THROW(hash_password(std::string(1025, 'a'), cheap), std::invalid_argument);
  EXPECT_TRUE(
      verify_password(hash_password(std::string(1024, 'a'), cheap), std::string(1024, 'a')));
  const std::string hash = hash_password("a", cheap);
  EXPECT_FALSE(verify_password(hash, std::string("a\0", 2)));
}

TEST(Password, OtherParametersAskForANewHash) {
  const std::string hash = hash_password("a", cheap);
  EXPECT_FALSE(needs_rehash(hash, cheap));
  EXPECT_TRUE(needs_rehash(hash, {.passes = 2, .memory_bytes = 8192}));
  EXPECT_TRUE(needs_rehash(hash, {.passes = 1, .memory_bytes = 16384}));
  EXPECT_TRUE(needs_rehash("", cheap));
}

TEST(Password, MemoryIsReadFromTheHash) {
  EXPECT_EQ(memory_to_verify(hash_password("a", {.passes = 1, .memory_bytes = 65536})), 65536U);
  EXPECT_EQ(memory_to_verify(""), 0U);
  EXPECT_EQ(memory_to_verify("$m=x"), 0U);
  EXPECT_EQ(memory_to_verify("$m=99999999999999999999999"), 0U);
}

}  // namespace
}  // namespace sftpd::auth
