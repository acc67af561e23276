// What must hold when many do it at once.
#include <atomic>
#include <random>
#include <thread>

#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

using std::chrono::seconds;

class Concurrency : public MetadataTest {
 protected:
  /// Runs work(thread, Repositories&) in `count` threads, `times` transactions each. Errors of the
  /// kinds that a race may bring are fine; any other fails the test.
  template <class Work>
  void in_threads(int count, int times, Work work) {
    std::vector<std::thread> threads;
    for (int number = 0; number < count; ++number) {
      threads.emplace_back([&, number] {
        for (int i = 0; i < times; ++i)
          attempt([&](Repositories& r) { work(number * times + i, r); });
      });
    }
    for (auto& thread : threads) thread.join();
  }

  template <class Work>
  void attempt(Work work) {
    try {
      in(work);
    } catch (const Error& error) {
      const bool is_outcome =
          error.code() != ErrorCode::internal && error.code() != ErrorCode::conflict &&
          error.code() != ErrorCode::unavailable && error.code() != ErrorCode::in_doubt;
      EXPECT_TRUE(is_outcome) << error.what();
      if (is_outcome) ++refused;
    }
  }

  NewNode named(NodeId parent, const std::string& name, NodeKind kind = NodeKind::file) {
    NewNode node;
    node.parent = parent;
    node.name = name;
    node.kind = kind;
    return node;
  }

  std::atomic<int> refused{0};
};

TEST_F(Concurrency, ParallelInsertsIntoOneDirectoryAllSucceed) {
  in_threads(12, 25, [&](int i, Repositories& r) {
    r.nodes.insert(account, named(root, "n" + std::to_string(i)));
  });
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(usage().files, 300U);
  EXPECT_EQ(names_in(root).size(), 300U);
}

TEST_F(Concurrency, OfManyWhoTakeANameOneGetsIt) {
  in_threads(8, 10, [&](int i, Repositories& r) {
    r.nodes.insert(account, named(root, "n" + std::to_string(i % 10)));
  });
  EXPECT_EQ(refused, 70);
  EXPECT_EQ(usage().files, 10U);
}

TEST_F(Concurrency, DirectoryMovesNeverMakeACycle) {
  std::vector<NodeId> directories;
  for (int i = 0; i < 8; ++i) directories.push_back(make_directory(root, std::to_string(i)).id);
  in_threads(8, 40, [&](int i, Repositories& r) {
    std::minstd_rand random(static_cast<unsigned>(i) * 7919 + 1);
    const auto pick = [&] { return directories[random() % directories.size()]; };
    const NodeId from = pick();
    r.nodes.rename(account, from, random() % 4 == 0 ? root : pick(), "x" + std::to_string(i));
  });
  EXPECT_EQ(broken_invariant(), "");
}

TEST_F(Concurrency, ADirectoryIsNotRemovedUnderAnInsert) {
  in_threads(6, 40, [&](int i, Repositories& r) {
    const auto directory = r.nodes.find_child(account, root, "d");
    switch (i % 3) {
      case 0:
        if (!directory) r.nodes.insert(account, named(root, "d", NodeKind::directory));
        break;
      case 1:
        if (directory) r.nodes.insert(account, named(directory->id, "f" + std::to_string(i)));
        break;
      default:
        if (directory) {
          for (const Node& node : r.nodes.list(account, directory->id, "", 1000)) {
            r.nodes.remove(account, node.id);
          }
          r.nodes.remove(account, directory->id);
        }
    }
  });
  EXPECT_EQ(broken_invariant(), "");
}

TEST_F(Concurrency, PublicationsReplacementsAndRemovalsKeepTheBooks) {
  in_threads(6, 40, [&](int i, Repositories& r) {
    const std::string name = "f" + std::to_string(i % 4);
    const auto node = r.nodes.find_child(account, root, name);
    if (!node) {
      r.nodes.insert(account, named(root, name));
    } else if (i % 11 == 0) {
      r.nodes.remove(account, node->id);
    } else if (i % 5 == 0) {
      if (const auto other = r.nodes.find_child(account, root, "f" + std::to_string((i + 1) % 4))) {
        r.nodes.replace(account, node->id, other->id);
      }
    } else {
      const auto objects = r.objects.reserve(account, {"key" + std::to_string(i)}, seconds{60});
      if (!r.versions.publish(account,
                              whole(node->id, objects[0], 100 + static_cast<unsigned>(i)))) {
        r.objects.discard(account, objects);
      }
    }
  });
  EXPECT_EQ(broken_invariant(), "");
}

TEST_F(Concurrency, WhatIsSharedIsNeitherPrunedNorCollected) {
  std::vector<NodeId> files;
  for (int i = 0; i < 3; ++i) files.push_back(make(root, std::to_string(i)).id);
  in_threads(6, 50, [&](int i, Repositories& r) {
    const auto file = r.nodes.find(account, files[static_cast<std::size_t>(i) % files.size()]);
    if (i % 6 == 0) {
      r.versions.prune(seconds{0}, 5);
    } else if (i % 6 == 1) {
      r.objects.mark_gone(r.objects.claim_for_deletion(seconds{0}, seconds{600}, 5));
    } else if (!file->version || i % 6 == 2) {
      const auto objects = r.objects.reserve(account, {"key" + std::to_string(i)}, seconds{60});
      r.versions.publish(account, whole(file->id, objects[0], 100));
    } else {
      // Copies another file's content, as deduplication and edits do; it may be gone meanwhile.
      const auto from = r.versions.load(account, *file->version);
      if (!from) return;
      Publication publication;
      publication.node = files[static_cast<std::size_t>(i + 1) % files.size()];
      publication.size = from->size;
      publication.extents = from->extents;
      r.versions.publish(account, publication);
    }
  });
  EXPECT_EQ(broken_invariant(), "");
  EXPECT_EQ(text("SELECT count(*) FROM extents e JOIN objects o ON o.account_id = e.account_id"
                 " AND o.id = e.object_id WHERE o.state IN ('reaping', 'gone')"),
            "0");
}

TEST_F(Concurrency, TheQuotaHoldsExactly) {
  in([&](Repositories& r) { r.accounts.set_quota(account, 1000); });
  std::vector<NodeId> files;
  for (int i = 0; i < 40; ++i) files.push_back(make(root, std::to_string(i)).id);
  in_threads(8, 5, [&](int i, Repositories& r) {
    const auto objects = r.objects.reserve(account, {"key" + std::to_string(i)}, seconds{60});
    r.versions.publish(account, whole(files[static_cast<std::size_t>(i)], objects[0], 100));
  });
  EXPECT_EQ(refused, 30);
  EXPECT_EQ(usage().used_bytes, 1000U);
  EXPECT_EQ(broken_invariant(), "");
}

}  // namespace
}  // namespace metadata
