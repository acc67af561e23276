// No statement of any repository that serves or jobs use reads a whole table or a whole index, at a
// million rows. The server itself logs the plan of everything that runs, also inside our functions
// (auto_explain), and we read its log. Consistency, which reads everything by design, is not here.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "metadata/repositories/inline_extents.h"
#include "metadata/transaction_pqxx.h"
#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

/// Our sessions avoid them by themselves, which must not hide here that an index is missing.
constexpr char allow_sequential_scans[] = "SET LOCAL enable_seqscan = on";

constexpr char million_rows[] = R"(
  INSERT INTO accounts (id, root_node) SELECT a, a * 10000000 FROM generate_series(1000::bigint, 20999) a;
  INSERT INTO account_usage (account_id, slot)
    SELECT a, s FROM generate_series(1000::bigint, 20999) a, generate_series(0, 7) s;
  INSERT INTO nodes (account_id, id, parent_id, name, kind, mode, uid, gid, atime, mtime, ctime)
    SELECT a, a * 10000000, NULL, '', 'directory', 493, 0, 0, now(), now(), now()
    FROM generate_series(1000::bigint, 1009) a;
  INSERT INTO nodes (account_id, id, parent_id, name, kind, mode, uid, gid, atime, mtime, ctime)
    SELECT a, a * 10000000 + d, a * 10000000, 'd' || d, 'directory', 493, 0, 0, now(), now(), now()
    FROM generate_series(1000::bigint, 1009) a, generate_series(1, 1000) d;
  ALTER TABLE nodes DISABLE TRIGGER ALL;
  INSERT INTO nodes (account_id, id, parent_id, name, kind, mode, uid, gid, size, atime, mtime, ctime,
                     version_id)
    SELECT a, a * 10000000 + 10000 + f, a * 10000000 + CASE WHEN f % 2 = 0 THEN 1 ELSE 1 + f % 1000 END,
           'file' || f, 'file', 420, 0, 0, 100, now(), now(), now(), a * 10000000 + f
    FROM generate_series(1000::bigint, 1009) a, generate_series(1, 99000) f;
  ALTER TABLE nodes ENABLE TRIGGER ALL;
  INSERT INTO objects (account_id, id, key, state, size, sha256, lease_until, dead_at, gone_at)
    SELECT a, a * 10000000 + f, a || '/' || f,
           CASE WHEN f % 5 = 0 THEN 'staging' WHEN f % 100 = 1 THEN 'dead'
                WHEN f % 100 = 2 THEN 'gone' ELSE 'live' END,
           100, sha256(f::text::bytea),
           now() + CASE WHEN f % 500 = 0 THEN -1 ELSE 1 END * interval '1 hour', now(), now()
    FROM generate_series(1000::bigint, 1009) a, generate_series(1, 20000) f;
  ALTER TABLE extents DISABLE TRIGGER ALL;
  INSERT INTO versions (account_id, id, node_id, size, created_at, replaced_at)
    SELECT a, a * 10000000 + f, a * 10000000 + 10000 + f, 100, now(),
           CASE WHEN f % 20 = 0 THEN now() - f * interval '1 minute' END
    FROM generate_series(1000::bigint, 1009) a, generate_series(1, 20000) f;
  INSERT INTO extents (account_id, version_id, file_offset, length, object_id)
    SELECT a, a * 10000000 + f, 0, 100, a * 10000000 + f
    FROM generate_series(1000::bigint, 1009) a, generate_series(1, 20000) f WHERE f % 100 > 2 AND f % 5 > 0;
  INSERT INTO extents (account_id, version_id, file_offset, length, inline)
    SELECT a, a * 10000000 + f, 0, 3, 'abc'
    FROM generate_series(1000::bigint, 1009) a, generate_series(5, 100, 5) f;
  ALTER TABLE extents ENABLE TRIGGER ALL;
  INSERT INTO users (account_id, name) SELECT 999 + i, 'user' || i FROM generate_series(1, 20000) i;
  INSERT INTO users (account_id, name) SELECT 999 + i, 'other' || i FROM generate_series(1, 20000) i;
  INSERT INTO user_keys (account_id, user_id, type, blob, fingerprint)
    SELECT account_id, id, 't', 'b', 'f' FROM users;
  INSERT INTO uploads (account_id, object_id, node_id, user_id, file_offset)
    SELECT account_id, id, id, 1, 0 FROM objects WHERE state = 'staging';
  UPDATE versions SET flatten_at = created_at - interval '1 hour'
    WHERE id % 1000 = 7 AND replaced_at IS NULL;
  INSERT INTO node_successors SELECT 1000, i, i + 1, now() FROM generate_series(1, 20000) i;
  INSERT INTO audit_events (account_id, action) SELECT 1000, 'x' FROM generate_series(1, 20000);
  ANALYZE;
)";

/// The first plan among `plans` that reads a whole table; empty if none does.
std::string whole_table_read(const std::string& plans) {
  const auto found = plans.find("Seq Scan on");
  if (found == std::string::npos) return "";
  const auto begin = plans.rfind("LOG:", found);
  return plans.substr(begin, plans.find("UTC [", found) - begin);
}

/// What a step of a plan may read, or read in vain: more than any batch here, far less than a
/// table.
constexpr double rows_max = 2000;

/// The first line among `plans` that says that more was read, or thrown away again; empty if none.
std::string too_many_rows(const std::string& plans) {
  static const std::regex read(R"(actual time=\S+ rows=(\d+) loops=(\d+))");
  static const std::regex removed(R"(Rows Removed by [A-Za-z ]+: (\d+))");
  std::istringstream lines(plans);
  std::smatch found;
  for (std::string line; std::getline(lines, line);) {
    double rows = 0;
    if (std::regex_search(line, found, read)) rows = std::stod(found[1]) * std::stod(found[2]);
    if (std::regex_search(line, found, removed)) rows = std::stod(found[1]);
    if (rows > rows_max) return line;
  }
  return "";
}

class Plans : public MetadataTest {
 protected:
  Plans() {
    scratch.execute("SET statement_timeout = 0");
    scratch.database().transact([](Transaction& tx) {
      tx.inner().script("SET LOCAL statement_timeout = 0");
      tx.inner().script(million_rows);
    });
    big = AccountId{1003};
    directory = NodeId{10030000001};
    file = NodeId{10030010002};
  }

  /// A database on the same server whose connections log the plans of all that they run.
  std::unique_ptr<Database> logging_database() const {
    Database::Options options;
    options.url = scratch.url() +
                  " options='-c session_preload_libraries=auto_explain"
                  " -c auto_explain.log_min_duration=0 -c auto_explain.log_nested_statements=on"
                  " -c auto_explain.log_triggers=on -c auto_explain.log_analyze=on'";
    options.connections_max = 1;
    return std::make_unique<Database>(options);
  }

  std::string log_path() {
    return text(
        "SELECT setting || '/../postgresql.log' FROM pg_settings WHERE name = 'data_directory'");
  }

  /// What the server logged while `work(Repositories&)` ran five times, so that generic plans come
  /// up too; each time rolled back.
  template <class Work>
  std::string plans_of(Work work) {
    const std::string path = log_path();
    const auto before = std::filesystem::file_size(path);
    struct RollBack {};
    const auto database = logging_database();
    for (int i = 0; i < 7; ++i) {
      try {
        database->transact([&](Transaction& tx) {
          tx.inner().script(allow_sequential_scans);
          Repositories repositories(tx);
          work(repositories);
          throw RollBack{};
        });
      } catch (const RollBack&) {
      }
    }
    std::ifstream log(path);
    log.seekg(static_cast<std::streamoff>(before));
    std::ostringstream plans;
    plans << log.rdbuf();
    return plans.str();
  }

  AccountId big;
  NodeId directory, file;
};

TEST_F(Plans, NoStatementReadsAWholeTableOrIndex) {
  const auto check = [&](const std::string& name, auto work) {
    const std::string plans = plans_of(work);
    EXPECT_NE(plans.find("Query Text"), std::string::npos) << name;
    EXPECT_EQ(whole_table_read(plans), "") << name;
    EXPECT_EQ(too_many_rows(plans), "") << name << plans;
  };
  check("nodes, reading", [&](Repositories& r) {
    EXPECT_TRUE(r.nodes.find(big, file));
    EXPECT_TRUE(r.nodes.find_child(big, directory, "file2"));
    EXPECT_EQ(r.nodes.walk(big, NodeId{10030000000}, {"d1", "file2"}).size(), 3U);
    EXPECT_EQ(r.nodes.ancestry(big, file).size(), 3U);
    EXPECT_EQ(r.nodes.list(big, directory, "file5", 100).size(), 100U);
  });
  check("nodes, writing", [&](Repositories& r) {
    const NodeId made = r.nodes
                            .insert(big, {.parent = directory,
                                          .name = "new",
                                          .kind = NodeKind::directory,
                                          .mode = 0,
                                          .uid = 0,
                                          .gid = 0,
                                          .link_target = "",
                                          .atime = {},
                                          .mtime = {}})
                            .id;
    r.nodes.insert_later(big, {.parent = directory,
                               .name = "later",
                               .kind = NodeKind::file,
                               .mode = 0,
                               .uid = 0,
                               .gid = 0,
                               .link_target = "",
                               .atime = {},
                               .mtime = {}});
    r.nodes.change(big, file, {.mode = 0, .uid = {}, .gid = {}, .atime = {}, .mtime = {}});
    r.nodes.lock_file(big, file, FileId{file.value});
    r.nodes.change_file(big, file, FileId{file.value}, {});
    r.nodes.was_removed(big, file);
    r.nodes.rename(big, made, NodeId{10030000002}, "moved");
    r.nodes.rename(big, file, made, "moved");
    r.nodes.replace(big, file, NodeId{10030010004});
    r.nodes.remove(big, NodeId{10030010006});
    r.nodes.remove(big, made);
  });
  check("accounts and users", [&](Repositories& r) {
    r.accounts.usage(big);
    r.accounts.root(big);
    const auto user = r.users.find("user7777");
    r.users.list("user5", 10);
    r.users.keys(user->id);
    r.users.has_key(user->id, "t", "b");
    r.users.remove_key(user->id, "f");
    r.users.set_disabled(user->id, true);
    r.users.set_password_hash(user->id, "hash");
    r.users.set_rates(user->id, {.upload_max = 5000, .download_max = {}});
    EXPECT_EQ(r.users.rates({user->id}).size(), 1U);
    const auto created = r.users.create(big, "created", "");
    r.users.add_key(created.id, {.id = 0,
                                 .type = "t",
                                 .blob_base64 = "c",
                                 .fingerprint = "g",
                                 .comment = "",
                                 .created_at = {}});
    r.users.remove(user->id);
  });
  check("versions", [&](Repositories& r) {
    r.versions.load(big, VersionId{10030000004});
    EXPECT_EQ(r.versions.upcoming(big, directory, "file5", 100).size(), 100U);
    r.versions.younger(big, file, {}, 16);
    const auto objects = r.objects.reserve(big, {"new"}, seconds{60});
    Publication publication = whole(file, objects[0], 100);
    publication.extents.push_back({100, 50, ObjectSlice{ObjectId{10030000007}, "", 0, 0}});
    publication.size = 150;
    EXPECT_TRUE(r.versions.publish(big, publication));
    r.versions.prune(seconds{86400 * 30}, 20);
  });
  check("objects", [&](Repositories& r) {
    const auto ids = r.objects.reserve(big, {"new"}, seconds{60});
    r.objects.renew(big, ids, seconds{60});
    r.objects.set_upload(big, ids[0], "u");
    r.objects.discard(big, ids);
    r.objects.find_duplicate(big, hash_of(1), 100);
    r.objects.mark_damaged(big, ids[0]);
    r.objects.mark_sound(big, ids[0]);
    r.objects.mark_gone(r.objects.claim_for_deletion(seconds{0}, seconds{0}, 20));
    r.objects.scan(big, ObjectId{10030000004}, 50);
    r.objects.known_keys({"1003/5", "x"});
  });
  check("flattening", [&](Repositories& r) {
    const auto claimed = r.flattening.claim(seconds{60}, seconds{60}, 10);
    ASSERT_EQ(claimed.size(), 10U);
    EXPECT_TRUE(r.flattening.renew(claimed[0], seconds{60}));
    r.flattening.leave(claimed[0]);
    EXPECT_TRUE(r.flattening.claim(claimed[0], seconds{60}));
    const ScatteredVersion scattered{big, NodeId{10030010007}, VersionId{10030000007}};
    const auto object = r.objects.reserve(big, {"flat"}, seconds{60})[0];
    r.flattening.replace_extents(scattered, {object, 100, std::nullopt, "etag", ""});
  });
  check("uploads", [&](Repositories& r) {
    const auto ids = r.objects.reserve(big, {"new"}, seconds{60});
    r.uploads.begin(big, ids[0], file, FileId{file.value}, UserId{1}, "u", 0, 0, {});
    EXPECT_TRUE(r.uploads.is_running(big, FileId{file.value}));
    r.uploads.postpone(big, ids, seconds{60}, 7);
    r.uploads.end(big, ids[0]);
    EXPECT_EQ(r.uploads.claim_interrupted(seconds{60}, 10).size(), 10U);
  });
  check("inline extents", [&](Repositories& r) {
    InlineExtents inlined(r.transaction);
    const auto waiting = inlined.older_than(seconds{0}, 50);
    ASSERT_EQ(waiting.size(), 50U);
    const auto object = r.objects.reserve(waiting[0].account, {"moved"}, seconds{60})[0];
    EXPECT_TRUE(inlined.move(waiting[0], {object, 3, std::nullopt, "etag", ""}));
    EXPECT_FALSE(
        inlined.move(waiting[0], {r.objects.reserve(waiting[0].account, {"again"}, seconds{60})[0],
                                  3, std::nullopt, "etag", ""}));
    EXPECT_GT(inlined.waiting().bytes, 0U);
  });
  scratch.database().transact([&](Transaction& tx) {
    tx.inner().script(allow_sequential_scans);
    for (const auto& [name, plan] : Nodes::explain_all(tx, big, directory)) {
      EXPECT_THAT(plan, HasSubstr("Index")) << name;
      EXPECT_THAT(plan, Not(HasSubstr("Seq Scan"))) << name;
      EXPECT_THAT(plan, Not(HasSubstr("Sort Key: n.name"))) << name << " must not sort a directory";
    }
    return true;
  });
}

}  // namespace
}  // namespace metadata
