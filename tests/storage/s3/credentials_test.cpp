#include "storage/s3/credentials.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "storage/error.h"

namespace {

using storage::s3::credentials_from_environment;

auto lookup_in(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

TEST(Credentials, ComeFromTheEnvironment) {
  const auto found = credentials_from_environment(lookup_in({{"AWS_ACCESS_KEY_ID", "id"},
                                                             {"AWS_SECRET_ACCESS_KEY", "secret"},
                                                             {"AWS_SESSION_TOKEN", "token"}}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->key_id, "id");
  EXPECT_EQ(found->secret, "secret");
  EXPECT_EQ(found->session_token, "token");
}

TEST(Credentials, MayBeAbsent) {
  EXPECT_FALSE(credentials_from_environment(lookup_in({})));
  EXPECT_FALSE(credentials_from_environment(lookup_in({{"AWS_ACCESS_KEY_ID", ""}})));
}

TEST(Credentials, HalfOfThemIsAMistake) {
  EXPECT_THROW(credentials_from_environment(lookup_in({{"AWS_ACCESS_KEY_ID", "id"}})),
               storage::Error);
  EXPECT_THROW(credentials_from_environment(lookup_in({{"AWS_SECRET_ACCESS_KEY", "secret"}})),
               storage::Error);
}

}  // namespace
