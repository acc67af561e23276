// A file's content as one object, made when somebody needs it.

#include <thread>

#include "metadata/repositories/flattening.h"
#include "metadata/repositories/objects.h"
#include "metadata/repositories/uploads.h"
#include "tests/sftpd/vfs/flatten_fixture.h"

namespace sftpd::vfs {
namespace {

class WholeObjectTest : public FlattenTest {
 protected:
  FileSystem::WholeObject whole(const std::string& path) {
    return files->whole_object(identity.account, node(path).id);
  }
  std::string stored(const std::string& key) {
    const auto bytes = memory_store.get({key}, {0, 100 * mib}).get();
    const auto span = bytes.bytes();
    return {reinterpret_cast<const char*>(span.data()), span.size()};
  }
  std::optional<ErrorCode> refusal(const std::string& path) {
    return code_of([&] { whole(path); });
  }
};

TEST_F(WholeObjectTest, AFileThatIsOneObjectIsGivenAsItIs) {
  put("file", noise(100 * kib));
  const auto object = whole("file");
  EXPECT_EQ(object.size, 100 * kib);
  EXPECT_EQ(object.mime, "application/octet-stream");
  EXPECT_EQ(stored(object.key), noise(100 * kib));
  EXPECT_EQ(memory_store.object_count(), 1U);
}

TEST_F(WholeObjectTest, PiecesAreJoinedAtOnceHoweverYoungAndNobodySeesIt) {
  const std::string expected = make_scattered("file");
  const auto before = node("file");
  const auto reading = open_reading("file");
  const auto object = whole("file");
  EXPECT_EQ(stored(object.key), expected);
  EXPECT_TRUE(is_flat("file"));
  EXPECT_EQ(node("file").version, before.version);
  EXPECT_EQ(node("file").mtime, before.mtime);
  EXPECT_EQ(files->counts().flattened_files.value(), 1U);
  EXPECT_EQ(whole("file").key, object.key) << "once";
  EXPECT_EQ(flatten(), 0) << "nothing is left for the job";
  collect();
  EXPECT_EQ(stored(object.key), expected) << "it is what the file consists of";
  EXPECT_EQ(read(*reading), expected);
}

TEST_F(WholeObjectTest, InlineBytesAndHolesAreWrittenOut) {
  options.inline_max = 1 * kib;
  restart();
  put("small", noise(500));
  EXPECT_EQ(memory_store.object_count(), 0U);
  EXPECT_EQ(stored(whole("small").key), noise(500));
  EXPECT_EQ(files->destage(std::chrono::seconds{0}, 10), 0) << "it was moved";
  EXPECT_EQ(read_elsewhere("small"), noise(500));

  vfs->set_attributes("small", {.size = 100 * kib}, Vfs::Links::follow).get();
  std::string longer = noise(500);
  longer.resize(100 * kib);
  drain();
  EXPECT_EQ(stored(whole("small").key), longer);
}

TEST_F(WholeObjectTest, WhatHasNoContentToGiveSaysSo) {
  put("empty", "");
  EXPECT_EQ(refusal("empty"), ErrorCode::bad_argument);
  vfs->make_directory("directory", {});
  EXPECT_EQ(refusal("directory"), ErrorCode::is_a_directory);
  put("gone", "content");
  const auto gone = node("gone").id;
  vfs->remove_file("gone");
  EXPECT_EQ(code_of([&] { files->whole_object(identity.account, gone); }), ErrorCode::not_found);
}

TEST_F(WholeObjectTest, AFileThatIsBeingWrittenIsRefused) {
  put("file", noise(100 * kib));
  {
    const auto handle = open_editing("file");
    EXPECT_EQ(refusal("file"), ErrorCode::being_written);
    handle->close().get();
  }
  drain();
  EXPECT_EQ(refusal("file"), std::nullopt);

  // An upload of another process: its rows are all that we see of it.
  const auto file = node("file");
  const auto object = scratch.database().transact([&](metadata::Transaction& tx) {
    const auto reserved =
        metadata::Objects(tx).reserve(identity.account, {"other"}, std::chrono::minutes{1}).at(0);
    metadata::Uploads(tx).begin(identity.account, reserved, file.id, file.file, identity.user,
                                "upload", 0, 0, {});
    return reserved;
  });
  EXPECT_EQ(refusal("file"), ErrorCode::being_written);
  scratch.database().transact(
      [&](metadata::Transaction& tx) { metadata::Uploads(tx).end(identity.account, object); });
  EXPECT_EQ(refusal("file"), std::nullopt);
}

TEST_F(WholeObjectTest, ItWaitsForOthersThatMakeItAlready) {
  const std::string expected = make_scattered("file");
  const auto row = node("file");
  const metadata::ScatteredVersion scattered{identity.account, row.id, *row.version};
  const auto claim = [&] {
    return scratch.database().transact([&](metadata::Transaction& tx) {
      return metadata::Flattening(tx).claim(scattered, std::chrono::minutes{10});
    });
  };
  ASSERT_TRUE(claim());
  EXPECT_FALSE(claim());
  FileSystem::WholeObject object;
  std::thread waiting([&] { object = whole("file"); });
  scratch.database().transact([&](metadata::Transaction& tx) {
    metadata::Flattening(tx).renew(scattered, std::chrono::seconds{0});
  });
  waiting.join();
  EXPECT_EQ(stored(object.key), expected);
}

TEST_F(WholeObjectTest, AFailureLeavesTheFileAndTheNextAttemptNeedNotWait) {
  const std::string expected = make_scattered("file");
  store.add({.operation = Operation::put, .times = 100});
  store.add({.operation = Operation::complete_upload, .times = 100});
  EXPECT_THROW(whole("file"), storage::Error);
  EXPECT_EQ(files->counts().flatten_failures.value(), 1U);
  EXPECT_EQ(read_elsewhere("file"), expected);
  store.clear();
  EXPECT_EQ(stored(whole("file").key), expected);
}

TEST_F(WholeObjectTest, TooManyHolesAreRefused) {
  put("file", "x");
  vfs->set_attributes("file", {.size = 65 * mib}, Vfs::Links::follow).get();
  drain();
  EXPECT_EQ(refusal("file"), ErrorCode::unsupported);
}

}  // namespace
}  // namespace sftpd::vfs
