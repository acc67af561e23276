// Files in several pieces become one object, and nobody sees a change.

#include <thread>

#include "metadata/repositories/versions.h"
#include "sftpd/jobs/collect_garbage.h"
#include "storage/local/local_object_store.h"
#include "tests/sftpd/vfs/vfs_fixture.h"
#include "tests/support/metadata/temporary_directory.h"
#include "tests/support/minio_process.h"

namespace sftpd::vfs {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

constexpr seconds no_quiet{0};

class FlattenTest : public VfsTest {
 protected:
  FlattenTest() { options.inline_max = 0; }

  int flatten(FileSystem& process) { return process.flatten(no_quiet, 10, {}); }
  int flatten() { return flatten(*files); }
  /// Claims are forgotten, as if their time was over.
  void forget_claims() {
    text("UPDATE versions SET flatten_at = created_at WHERE flatten_at IS NOT NULL");
  }

  /// Writes the bytes into the file and into `expected`, as one commit.
  void edit(const std::string& path, std::uint64_t offset, const std::string& bytes,
            std::string& expected) {
    const auto handle = open_editing(path);
    write(*handle, offset, bytes);
    handle->close().get();
    if (expected.size() < offset + bytes.size()) expected.resize(offset + bytes.size(), '\0');
    expected.replace(offset, bytes.size(), bytes);
  }
  /// A file of several pieces; its content.
  std::string make_scattered(const std::string& path) {
    std::string expected = noise(200 * kib);
    put(path, expected);
    edit(path, 50'000, noise(300, 2), expected);
    edit(path, 200 * kib, noise(70'000, 3), expected);
    edit(path, 290'000, noise(1, 4), expected);
    return expected;
  }
  std::string extents_of(const std::string& path) {
    return text("SELECT count(*) FROM extents WHERE version_id = " +
                std::to_string(node(path).version->value));
  }
  /// Whether the file is one object, to be found under one key.
  bool is_flat(const std::string& path) {
    return text(
               "SELECT count(*) FROM extents e JOIN objects o ON o.id = e.object_id"
               " JOIN versions v ON v.id = e.version_id WHERE e.file_offset = 0 AND"
               " e.object_offset = 0 AND e.length = v.size AND o.size = v.size AND"
               " o.state = 'live' AND v.id = " +
               std::to_string(node(path).version->value)) == "1" &&
           extents_of(path) == "1";
  }
  void collect(FileSystem& process) {
    process.database().transact(
        [](metadata::Transaction& tx) { metadata::Versions(tx).prune(seconds{0}, 1000); });
    const jobs::CollectOptions now{.keep_dead = seconds{0}, .grace = seconds{0}, .batch_max = 1000};
    jobs::collect_garbage(process.database(), process.store(), now, {});
  }
  /// The spare rows of the process look like lost uploads to a collector without patience.
  void collect() {
    text("UPDATE objects SET lease_until = now() + interval '1 hour' WHERE state = 'staging'");
    collect(*files);
  }
  std::string staging_with_bytes() {
    return text("SELECT count(*) FROM objects WHERE state = 'staging' AND upload <> ''");
  }
};

TEST_F(FlattenTest, AScatteredFileBecomesOneObjectAndNobodySeesIt) {
  const std::string expected = make_scattered("file");
  const auto before = node("file");
  EXPECT_NE(extents_of("file"), "1");
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  const auto after = node("file");
  EXPECT_EQ(after.version, before.version);
  EXPECT_EQ(after.size, before.size);
  EXPECT_EQ(after.mode, before.mode);
  EXPECT_EQ(after.atime, before.atime);
  EXPECT_EQ(after.mtime, before.mtime);
  EXPECT_EQ(after.ctime, before.ctime);
  EXPECT_EQ(read("file"), expected);
  EXPECT_EQ(read_elsewhere("file"), expected);
  EXPECT_EQ(flatten(), 0) << "once";
}

TEST_F(FlattenTest, WhatNothingNeedsAnyMoreIsDeleted) {
  const std::string expected = make_scattered("file");
  put("whole", noise(100 * kib, 9));
  flatten();
  collect();
  EXPECT_EQ(live_objects(), 2);
  EXPECT_EQ(memory_store.object_count(), 2U);
  EXPECT_EQ(memory_store.upload_count(), 0U);
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(FlattenTest, HistoryAndCopiesKeepWhatTheyShare) {
  const std::string first = noise(200 * kib);
  put("file", first);
  const auto source = open_reading("file");
  const auto copy = open("copy", {.read = true, .write = true, .create = true});
  source->copy_to(0, 0, *copy, 0).get();
  copy->close().get();
  std::string expected = first;
  edit("file", 100'000, noise(100, 2), expected);
  flatten();
  collect();
  EXPECT_EQ(read_elsewhere("copy"), first);
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(FlattenTest, InlineBytesAndHolesBecomePartOfTheObject) {
  options.inline_max = 1 * kib;
  restart();
  std::string expected = noise(150 * kib);
  put("file", expected);
  edit("file", 10, noise(20, 2), expected);
  edit("file", 250'000, noise(500, 3), expected);
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  EXPECT_EQ(read_elsewhere("file"), expected);
  EXPECT_EQ(text("SELECT count(*) FROM extents e JOIN nodes n ON n.version_id = e.version_id"
                 " WHERE inline IS NOT NULL"),
            "0");
}

TEST_F(FlattenTest, ACutFileLetsTheLongObjectGo) {
  put("file", noise(300 * kib));
  AttributeChanges cut;
  cut.size = 100'000;
  vfs->set_attributes("file", cut, Vfs::Links::follow).get();
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  collect();
  EXPECT_EQ(live_objects(), 1);
  EXPECT_EQ(read_elsewhere("file"), noise(300 * kib).substr(0, 100'000));
}

TEST_F(FlattenTest, AlmostEmptySparseFilesStayAsTheyAre) {
  put("file", noise(100 * kib));
  AttributeChanges grown;
  grown.size = std::uint64_t{1} << 40;
  vfs->set_attributes("file", grown, Vfs::Links::follow).get();
  const int puts = store.calls(Operation::upload_part);
  EXPECT_EQ(flatten(), 1);
  EXPECT_EQ(store.calls(Operation::upload_part), puts);
  EXPECT_EQ(extents_of("file"), "1");
  EXPECT_EQ(flatten(), 0);
}

TEST_F(FlattenTest, AYoungFileIsLeftAlone) {
  make_scattered("file");
  EXPECT_EQ(files->flatten(std::chrono::hours{1}, 10, {}), 0);
}

TEST_F(FlattenTest, AFileOpenForWritingIsLeftAlone) {
  std::string expected = make_scattered("file");
  {
    const auto handle = open_editing("file");
    EXPECT_EQ(flatten(), 1);
    EXPECT_FALSE(is_flat("file"));
    handle->close().get();
  }
  forget_claims();
  const auto reading = open_reading("file");
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  EXPECT_EQ(read(*reading), expected);
}

TEST_F(FlattenTest, TheHashIsKnownWhereAllBytesWereSent) {
  std::string expected = noise(2'000);
  put("small", expected);
  edit("small", 100, "edit", expected);
  flatten();
  EXPECT_EQ(text("SELECT count(*) FROM versions v JOIN nodes n ON n.version_id = v.id"
                 " WHERE v.sha256 IS NOT NULL"),
            "1");
  put("again", expected);
  EXPECT_EQ(live_objects(), 2) << "that of the history, and one that two files share";
}

TEST_F(FlattenTest, WhoHasTheFileOpenInAnotherProcessReadsAndWritesOn) {
  std::string expected = make_scattered("file");
  const auto reading = open_reading("file");
  const auto editing = open_editing("file");
  write(*editing, 1'000, "edited");
  {
    FileSystem other(scratch.database(), store, options);
    EXPECT_EQ(flatten(other), 1);
    EXPECT_TRUE(is_flat("file"));
  }
  collect();
  // The objects that both were opened on are gone.
  expected.replace(1'000, 6, "edited");
  EXPECT_EQ(read(*reading), expected);
  editing->close().get();
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(FlattenTest, ACommitFollowsBytesThatMoved) {
  std::string expected = make_scattered("file");
  const auto editing = open_editing("file");
  {
    FileSystem other(scratch.database(), store, options);
    EXPECT_EQ(flatten(other), 1);
  }
  collect();
  write(*editing, 1'000, "edited");
  write(*editing, 270'000, noise(30'000, 6));
  expected.replace(1'000, 6, "edited");
  expected.replace(270'000, std::string::npos, noise(30'000, 6));
  editing->close().get();
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(FlattenTest, ACommitMeanwhileWins) {
  std::string expected = make_scattered("file");
  store.add({.operation = Operation::complete_upload, .fault = Fault::hold});
  std::thread flattening([&] { files->flatten(no_quiet, 1, {}); });
  store.wait_until_held(1);
  edit("file", 5, "newer", expected);
  store.release();
  flattening.join();
  EXPECT_FALSE(is_flat("file"));
  EXPECT_EQ(read_elsewhere("file"), expected);
  collect();
  EXPECT_EQ(read_elsewhere("file"), expected);
  EXPECT_EQ(memory_store.upload_count(), 0U);
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(FlattenTest, ARemovalMeanwhileWins) {
  make_scattered("file");
  store.add({.operation = Operation::complete_upload, .fault = Fault::hold});
  std::thread flattening([&] { flatten(); });
  store.wait_until_held(1);
  vfs->remove_file("file");
  store.release();
  flattening.join();
  collect();
  EXPECT_EQ(memory_store.object_count(), 0U);
  EXPECT_EQ(memory_store.upload_count(), 0U);
}

TEST_F(FlattenTest, AFailingStoreLeavesTheFileAndNothingElse) {
  const std::string expected = make_scattered("file");
  make_scattered("other");
  for (const Operation operation :
       {Operation::create_upload, Operation::copy_part, Operation::upload_part, Operation::get,
        Operation::complete_upload}) {
    forget_claims();
    store.add({.operation = operation});
    EXPECT_THROW(flatten(), std::exception);
    EXPECT_FALSE(is_flat("file"));
    EXPECT_EQ(read_elsewhere("file"), expected);
    store.clear();
    text("UPDATE versions SET flatten_at = NULL WHERE node_id = " +
         std::to_string(node("other").id.value));
  }
  EXPECT_TRUE(is_flat("other")) << "one failure does not hold up the others";
  collect();
  EXPECT_EQ(memory_store.upload_count(), 0U);
  forget_claims();
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  collect();
  EXPECT_EQ(memory_store.object_count(), 2U);
}

TEST_F(FlattenTest, ALostAnswerToTheCompletionLeaksNothing) {
  const std::string expected = make_scattered("file");
  store.add({.operation = Operation::complete_upload, .fault = Fault::lose_answer});
  EXPECT_THROW(flatten(), std::exception);
  collect();
  EXPECT_EQ(read_elsewhere("file"), expected);
  forget_claims();
  flatten();
  collect();
  EXPECT_EQ(memory_store.object_count(), 1U);
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(FlattenTest, ItStopsWhenAsked) {
  make_scattered("file");
  std::stop_source stop;
  store.add({.operation = Operation::create_upload, .fault = Fault::hold});
  std::thread flattening([&] { files->flatten(no_quiet, 10, stop.get_token()); });
  store.wait_until_held(1);
  stop.request_stop();
  store.release();
  flattening.join();
  EXPECT_FALSE(is_flat("file"));
  collect();
  EXPECT_EQ(memory_store.upload_count(), 0U);
}

TEST_F(FlattenTest, TwoProcessesShareTheWork) {
  for (int i = 0; i < 6; ++i) make_scattered("file-" + std::to_string(i));
  FileSystem other(scratch.database(), store, options);
  int first = 0;
  std::thread thread([&] { first = flatten(); });
  const int second = flatten(other);
  thread.join();
  EXPECT_EQ(first + second, 6);
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(is_flat("file-" + std::to_string(i)));
}

TEST_F(FlattenTest, WithoutMemoryItGetsOnPartByPart) {
  const std::string expected = make_scattered("file");
  std::size_t taken = 0;
  while (files->memory().try_reserve(kib)) taken += kib;
  EXPECT_EQ(flatten(), 1);
  EXPECT_TRUE(is_flat("file"));
  EXPECT_EQ(read_elsewhere("file"), expected);
  EXPECT_EQ(files->memory().used(), taken);
  files->memory().release(taken);
}

// --- Many commits ------------------------------------------------------------------------------

class ManyCommitsTest : public FlattenTest {
 protected:
  void append(const std::string& path, const std::string& bytes) {
    const auto handle = open(path, {.write = true, .append = true, .create = true});
    write(*handle, 0, bytes);
    handle->close().get();
  }
  int extents(const std::string& path) { return std::stoi(extents_of(path)); }
};

TEST_F(ManyCommitsTest, SmallAppendsBecomeOneInlineExtentAndThenObjects) {
  options.inline_max = 10 * kib;
  restart();
  std::string expected;
  for (unsigned i = 0; i < 9; ++i) append("log", noise(kib, i));
  EXPECT_EQ(extents("log"), 1);
  EXPECT_EQ(memory_store.object_count(), 0U);
  for (unsigned i = 9; i < 100; ++i) append("log", noise(kib, i));
  for (unsigned i = 0; i < 100; ++i) expected += noise(kib, i);
  EXPECT_LE(extents("log"), 11);
  EXPECT_LE(text("SELECT max(octet_length(inline)) FROM extents"), std::to_string(10 * kib));
  EXPECT_EQ(read_elsewhere("log"), expected);
}

TEST_F(ManyCommitsTest, SmallEditsInOnePlaceStayOneInlineExtent) {
  options.inline_max = 4 * kib;
  restart();
  std::string expected = noise(100 * kib);
  put("file", expected);
  for (unsigned i = 0; i < 30; ++i) edit("file", 5'000 + i * 100, noise(100, i), expected);
  EXPECT_EQ(extents("file"), 3);
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(ManyCommitsTest, AppendsOfAnySizeKeepTheNumberOfExtentsDown) {
  options.extents_max = 20;
  restart();
  std::string expected;
  for (unsigned i = 0; i < 90; ++i) {
    append("log", noise(5'000, i));
    expected += noise(5'000, i);
    EXPECT_LE(extents("log"), 22);
  }
  EXPECT_EQ(read("log"), expected);
  EXPECT_EQ(read_elsewhere("log"), expected);
  collect();
  EXPECT_EQ(read_elsewhere("log"), expected);
}

TEST_F(ManyCommitsTest, EditsAllOverKeepTheNumberOfExtentsDown) {
  options.extents_max = 20;
  restart();
  std::string expected = noise(300 * kib);
  put("file", expected);
  for (unsigned i = 0; i < 60; ++i) {
    edit("file", (i * 7919 * 13) % (299 * kib), noise(50, i), expected);
    EXPECT_LE(extents("file"), 25);
  }
  EXPECT_EQ(read_elsewhere("file"), expected);
}

TEST_F(ManyCommitsTest, AFailureToJoinFailsNoCommit) {
  options.extents_max = 10;
  options.inline_max = kib;
  restart();
  std::string expected;
  for (unsigned i = 0; i < 11; ++i) {
    append("log", noise(5'000, i));
    expected += noise(5'000, i);
  }
  for (const Operation operation : {Operation::create_upload, Operation::get}) {
    store.add({.operation = operation, .times = 100});
  }
  append("log", "y");
  expected += "y";
  EXPECT_GT(extents("log"), 10);
  EXPECT_EQ(read_elsewhere("log"), expected);
  store.clear();
  append("log", "z");
  expected += "z";
  EXPECT_LE(extents("log"), 10);
  EXPECT_EQ(read_elsewhere("log"), expected);
}

// --- Each kind of store --------------------------------------------------------------------------

/// Scatters files over the store in many ways, flattens them and reads them back.
class FlattenOnTest : public FlattenTest {
 protected:
  void flatten_on(storage::ObjectStore& on, std::size_t scale, unsigned count = 6) {
    FileSystem process(scratch.database(), on, options);
    Vfs tree(process, identity);
    std::vector<std::string> contents;
    for (unsigned i = 0; i < count; ++i) contents.push_back(scatter(tree, i, scale));
    EXPECT_EQ(flatten(process), static_cast<int>(count));
    collect_on(process);
    for (unsigned i = 0; i < count; ++i) {
      const std::string path = "file-" + std::to_string(i);
      EXPECT_TRUE(is_flat(path)) << path;
      EXPECT_TRUE(read(*tree.open_file(path, {.read = true}, {})) == contents[i]) << path;
      FileSystem fresh(scratch.database(), on, options);
      Vfs there(fresh, identity);
      EXPECT_TRUE(read(*there.open_file(path, {.read = true}, {})) == contents[i]) << path;
    }
    EXPECT_EQ(live_objects(), static_cast<int>(count));
  }

  void collect_on(FileSystem& process) {
    text("UPDATE objects SET lease_until = now() + interval '1 hour' WHERE state = 'staging'");
    collect(process);
  }

  /// Edits, holes, appends and cuts, drawn by `seed`.
  static std::string scatter(Vfs& tree, unsigned seed, std::size_t scale) {
    const std::string path = "file-" + std::to_string(seed);
    std::string expected = noise(40 * scale + seed, seed);
    const auto first = tree.open_file(path, {.write = true, .create = true}, {});
    write_all(*first, expected);
    first->close().get();
    std::minstd_rand random(seed + 1);
    for (int i = 0; i < 6; ++i) {
      const auto handle = tree.open_file(path, {.read = true, .write = true}, {});
      const std::size_t at = i == 3 ? expected.size() + scale : random() % expected.size();
      const std::string bytes =
          noise(1 + random() % (i % 2 ? 500 : 4 * scale), static_cast<unsigned>(random()));
      write_all(*handle, bytes, at);
      handle->close().get();
      if (expected.size() < at + bytes.size()) expected.resize(at + bytes.size(), '\0');
      expected.replace(at, bytes.size(), bytes);
    }
    return expected;
  }
};

storage::Limits small_limits() {
  storage::Limits limits;
  limits.part_size_min = 4 * kib;
  return limits;
}

TEST_F(FlattenOnTest, StoresWithSmallCopies) {
  auto limits = small_limits();
  limits.copy_part_max = 20 * kib;
  test_support::MemoryObjectStore on(limits);
  flatten_on(on, 10 * kib);
}

TEST_F(FlattenOnTest, StoresWithFewParts) {
  auto limits = small_limits();
  limits.copy_part_max = 20 * kib;
  limits.parts_max = 9;
  test_support::MemoryObjectStore on(limits);
  options.part_size = 256 * kib;
  flatten_on(on, 10 * kib);
}

TEST_F(FlattenOnTest, StoresWithEqualParts) {
  auto limits = small_limits();
  limits.parts_equal = true;
  test_support::MemoryObjectStore on(limits);
  test_support::FailingObjectStore counted(on);
  flatten_on(counted, 10 * kib);
  EXPECT_GT(counted.calls(Operation::copy_part), 0);
}

TEST_F(FlattenOnTest, StoresWithEqualPartsAndNoCopies) {
  auto limits = small_limits();
  limits.parts_equal = true;
  limits.part_copy = false;
  test_support::MemoryObjectStore on(limits);
  flatten_on(on, 10 * kib);
}

TEST_F(FlattenOnTest, StoresWithoutCopies) {
  auto limits = small_limits();
  limits.part_copy = false;
  test_support::MemoryObjectStore on(limits);
  test_support::FailingObjectStore counted(on);
  flatten_on(counted, 10 * kib);
  EXPECT_EQ(counted.calls(Operation::copy_part), 0);
}

TEST_F(FlattenOnTest, StoresWithSmallPartsAndPuts) {
  auto limits = small_limits();
  limits.part_size_max = 70 * kib;
  limits.put_size_max = 70 * kib;
  test_support::MemoryObjectStore on(limits);
  flatten_on(on, 10 * kib);
}

TEST_F(FlattenOnTest, ADirectory) {
  tests::TemporaryDirectory directory;
  storage::local::LocalObjectStore local({.directory = directory.path()});
  options.part_size = 5 * mib;
  flatten_on(local, 300 * kib, 2);
}

TEST_F(FlattenOnTest, Minio) {
  test_support::MinioProcess minio;
  minio.start();
  storage::s3::S3ObjectStore on(minio.store_options());
  test_support::FailingObjectStore counted(on);
  options.part_size = 5 * mib;
  flatten_on(counted, 700 * kib, 1);
  EXPECT_GT(counted.calls(Operation::copy_part), 0);
}

}  // namespace
}  // namespace sftpd::vfs
