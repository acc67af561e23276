#include "sftpd/admin/rebuild/object_labels.h"

#include <gtest/gtest.h>

namespace sftpd::admin::rebuild {
namespace {

storage::ObjectInfo made_at(const std::string& created) {
  storage::ObjectInfo info;
  info.user_metadata = {{"account", "3"}, {"node", "5"}, {"oid", "7"}, {"created", created}};
  return info;
}

TEST(ObjectLabels, AreWhatAServerWrote) {
  const auto labels = read_labels(made_at("2026-11-20T03:04:05Z"));
  ASSERT_TRUE(labels);
  EXPECT_EQ(labels->account.value, 3);
  EXPECT_EQ(labels->node.value, 5);
  EXPECT_EQ(labels->object.value, 7);
  EXPECT_EQ(labels->created.time_since_epoch(), std::chrono::seconds(1'795'143'845));
  EXPECT_EQ(labels->created_text, "2026-11-20T030405Z");
  EXPECT_FALSE(labels->sha256);
}

/// It becomes part of a file's name.
TEST(ObjectLabels, ATimeOfAnotherLengthIsNotOurs) {
  EXPECT_FALSE(read_labels(made_at("2026-11-" + std::string(300, ' ') + "20T03:04:05Z")));
  EXPECT_FALSE(read_labels(made_at("2026-1-2T3:4:5Z")));
  EXPECT_FALSE(read_labels(made_at("2026-11-20T03:04:05Z/..")));
  EXPECT_FALSE(read_labels(made_at("")));
}

}  // namespace
}  // namespace sftpd::admin::rebuild
