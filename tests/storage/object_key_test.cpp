#include "storage/object_key.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>

namespace {

using storage::is_valid;
using storage::ObjectKey;
using storage::random_object_key;

TEST(ObjectKey, RandomKeysHaveTheDocumentedShape) {
  EXPECT_TRUE(std::regex_match(random_object_key("home").text,
                               std::regex("home/v1/([0-9a-f]{2})/\\1[0-9a-f]{30}")));
  EXPECT_TRUE(
      std::regex_match(random_object_key("").text, std::regex("v1/([0-9a-f]{2})/\\1[0-9a-f]{30}")));
}

TEST(ObjectKey, RandomKeysDiffer) {
  std::set<ObjectKey> keys;
  for (int i = 0; i < 1000; ++i) keys.insert(random_object_key("p"));
  EXPECT_EQ(keys.size(), 1000U);
}

TEST(ObjectKey, LengthsAreBounded) {
  EXPECT_TRUE(is_valid({std::string(255, 'a')}));
  EXPECT_FALSE(is_valid({std::string(256, 'a')})) << "a component";
  std::string longest;
  for (int i = 0; i < 512; ++i) longest += "a/";
  longest.pop_back();
  EXPECT_TRUE(is_valid({longest + "a"})) << longest.size() + 1;
  EXPECT_FALSE(is_valid({longest + "/a"}));
}

}  // namespace
