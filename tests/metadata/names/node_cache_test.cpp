#include "metadata/names/node_cache.h"

#include <gtest/gtest.h>

#include <vector>

namespace metadata {
namespace {

using Names = std::vector<std::string>;

constexpr AccountId account{1};
constexpr NodeId root{10};

Node node(std::int64_t id, NodeId parent, const std::string& name, NodeKind kind = NodeKind::file) {
  Node made;
  made.id = NodeId{id};
  made.parent = parent;
  made.name = name;
  made.kind = kind;
  return made;
}

class NodeCacheTest : public ::testing::Test {
 protected:
  NodeCacheTest() { cache.trust_until(NodeCache::Clock::time_point::max()); }

  void know(const std::vector<Node>& nodes, AccountId of = account) {
    cache.remember(of, cache.begin_reading(of), nodes);
  }
  /// The ids on the way; nothing: not known.
  std::optional<std::vector<std::int64_t>> walk(const Names& names, AccountId of = account) {
    const auto found = cache.walk(of, root, names);
    if (!found) return {};
    std::vector<std::int64_t> ids;
    for (const auto& one : *found) ids.push_back(one.id.value);
    return ids;
  }
  void forget(std::int64_t id) {
    const TouchedNode touched{account, NodeId{id}, {}};
    cache.forget({&touched, 1});
  }

  using Ids = std::vector<std::int64_t>;
  const Node top = node(10, NodeId{0}, "", NodeKind::directory);
  const Node photos = node(11, root, "photos", NodeKind::directory);
  const Node cat = node(12, NodeId{11}, "cat.jpg");
  NodeCache cache;
};

TEST_F(NodeCacheTest, FollowsNamesThatWereRead) {
  EXPECT_FALSE(walk({}));
  know({top, photos, cat});
  EXPECT_EQ(walk({}), Ids{10});
  EXPECT_EQ(walk({"photos", "cat.jpg"}), (Ids{10, 11, 12}));
  EXPECT_EQ(walk({"photos", "cat.jpg", "below a file"}), (Ids{10, 11, 12}));
  EXPECT_FALSE(walk({"photos", "dog.jpg"}));
  EXPECT_FALSE(walk({"photos"}, AccountId{2}));
}

TEST_F(NodeCacheTest, LongLinkTargetsAreNotKept) {
  Node link = node(14, root, "link", NodeKind::symlink);
  link.link_target = std::string(255, 'x');
  know({top, link});
  EXPECT_TRUE(walk({"link"}));
  link.link_target += 'x';
  know({link});
  EXPECT_FALSE(walk({"link"})) << "nor is the old one";
}

TEST_F(NodeCacheTest, Counts) {
  know({top, photos});
  walk({"photos"});
  walk({"photos", "x"});
  auto counts = cache.counts();
  EXPECT_TRUE(counts.trusted);
  EXPECT_EQ(counts.names, 2U);
  EXPECT_EQ(counts.hits, 1U);
  EXPECT_EQ(counts.misses, 1U);
  cache.distrust();
  walk({"photos"});
  counts = cache.counts();
  EXPECT_FALSE(counts.trusted);
  EXPECT_EQ(counts.names, 0U);
  EXPECT_EQ(counts.misses, 1U) << "not asked";
}

TEST_F(NodeCacheTest, KnowsWhatIsMissing) {
  const Names names{"photos", "dog.jpg", "x"};
  cache.remember_walk(account, cache.begin_reading(account), names, {top, photos});
  EXPECT_EQ(walk({"photos", "dog.jpg"}), (Ids{10, 11}));
  EXPECT_EQ(walk(names), (Ids{10, 11}));
  const TouchedNode came{account, NodeId{11}, "dog.jpg"};
  cache.forget({&came, 1});
  EXPECT_FALSE(walk({"photos", "dog.jpg"}));
}

TEST_F(NodeCacheTest, ForgetsWhatWasTouched) {
  know({top, photos, cat});
  forget(12);
  EXPECT_FALSE(walk({"photos", "cat.jpg"}));
  EXPECT_EQ(walk({"photos"}), (Ids{10, 11}));
}

TEST_F(NodeCacheTest, WhatChangedWhileItWasReadIsNotKept) {
  const auto ticket = cache.begin_reading(account);
  forget(12);
  cache.remember(account, ticket, {top, photos, cat});
  EXPECT_FALSE(walk({}));
}

TEST_F(NodeCacheTest, AnEntryUnderANewNameIsNoLongerUnderTheOld) {
  know({top, photos, cat});
  know({node(12, root, "moved.jpg")});
  EXPECT_EQ(walk({"moved.jpg"}), (Ids{10, 12}));
  EXPECT_FALSE(walk({"photos", "cat.jpg"}));
  know({node(13, root, "moved.jpg")});
  EXPECT_EQ(walk({"moved.jpg"}), (Ids{10, 13}));
}

TEST_F(NodeCacheTest, AnswersOnlyWhileItIsTrusted) {
  know({top});
  cache.trust_until(NodeCache::Clock::now());
  EXPECT_FALSE(walk({}));
  cache.trust_until(NodeCache::Clock::time_point::max());
  EXPECT_TRUE(walk({})) << "nobody else came meanwhile";
  const auto ticket = cache.begin_reading(account);
  cache.distrust();
  cache.trust_until(NodeCache::Clock::time_point::max());
  EXPECT_FALSE(walk({}));
  cache.remember(account, ticket, {top});
  EXPECT_FALSE(walk({})) << "read before others could change it";
}

TEST_F(NodeCacheTest, WhatWasReadBeforeItWasTrustedIsNotKept) {
  cache.distrust();
  const auto ticket = cache.begin_reading(account);
  cache.trust_until(NodeCache::Clock::time_point::max());
  cache.remember(account, ticket, {top});
  EXPECT_FALSE(walk({})) << "others may have changed it between the reading and the trust";
}

TEST_F(NodeCacheTest, ADoubtEndsTheTrustUntilItIsSettled) {
  know({top});
  cache.doubt(4711);
  cache.trust_until(NodeCache::Clock::time_point::max());
  know({top});
  EXPECT_FALSE(walk({}));
  EXPECT_EQ(cache.doubts(), std::vector<std::int64_t>{4711});
  const auto ticket = cache.begin_reading(account);
  cache.settle(4711);
  cache.remember(account, ticket, {top});
  EXPECT_FALSE(walk({})) << "read before the doubt was settled";
  know({top});
  EXPECT_TRUE(walk({}));
}

TEST_F(NodeCacheTest, IsBounded) {
  know({top});
  std::vector<Node> many;
  for (std::size_t i = 0; i <= NodeCache::entries_max; ++i) {
    many.push_back(node(static_cast<std::int64_t>(100 + i), root, "n" + std::to_string(i)));
    if (i == 1000) {
      EXPECT_TRUE(walk({})) << "used: it stays longer than those read before";
    }
    if (many.size() == 1000) know(std::exchange(many, {}));
  }
  know(many);
  EXPECT_FALSE(walk({"n0"}));
  EXPECT_TRUE(walk({"n" + std::to_string(NodeCache::entries_max)}));
}

TEST_F(NodeCacheTest, NamesInOrderAreWorthReadingBehind) {
  const auto ask = [&](const std::string& name) {
    return cache.worth_reading_behind(account, node(50, root, name));
  };
  EXPECT_EQ(ask("a"), 0);
  EXPECT_EQ(ask("b"), 0);
  const int first = ask("c");
  EXPECT_GT(first, 0);
  EXPECT_GT(ask("d"), first);
  EXPECT_EQ(ask("b"), 0) << "not in order";
}

}  // namespace
}  // namespace metadata
