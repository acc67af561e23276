#include "storage/local/local_object_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "storage/store_check.h"
#include "tests/storage/scratch_directory.h"

namespace {

using namespace storage;
using local::LocalObjectStore;
using test_support::ScratchDirectory;

const ObjectKey key{"home/v1/ab/abcdef"};

PutOptions options_with(const std::string& oid) {
  return {.content_type = "image/jpeg", .user_metadata = {{"oid", oid}}, .sha256_hex = {}};
}

template <class Call>
ErrorCode error_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "does not throw storage::Error";
  return ErrorCode::unavailable;
}

std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class LocalObjectStoreTest : public testing::Test {
 protected:
  std::unique_ptr<LocalObjectStore> open() const {
    return std::make_unique<LocalObjectStore>(
        LocalObjectStore::Options{.directory = directory_.path() / "store"});
  }
  std::filesystem::path path(const std::string& name) const {
    return directory_.path() / "store" / name;
  }
  std::filesystem::path upload_path(const UploadId& upload) const {
    return path("uploads") / upload.text;
  }

  ScratchDirectory directory_;
};

TEST_F(LocalObjectStoreTest, ItsSpaceIsThatOfTheFileSystem) {
  const auto found = open()->space();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->total_bytes, std::filesystem::space(directory_.path()).capacity);
  EXPECT_GT(found->free_bytes, 0U);
  EXPECT_LE(found->free_bytes, found->total_bytes);
}

TEST_F(LocalObjectStoreTest, ObjectsAreFilesOnlyWeCanRead) {
  open()->put(key, Payload::copy_of("content"), options_with("1")).get();
  EXPECT_EQ(read_file(path("objects/" + key.text)), "content");
  struct stat status {};
  ASSERT_EQ(stat(path("objects/" + key.text).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_EQ(stat(path("objects").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  EXPECT_TRUE(std::filesystem::is_empty(path("temporary")));
}

TEST_F(LocalObjectStoreTest, UploadsGoOnAfterARestart) {
  UploadId upload;
  {
    auto store = open();
    upload = store->create_upload(key, options_with("mine")).get();
    store->upload_part(key, upload, {2, 5}, Payload::copy_of(" world")).get();
  }
  auto store = open();
  EXPECT_THAT(store->list_uploads(key).get(), testing::ElementsAre(upload));
  store->upload_part(key, upload, {1, 0}, Payload::copy_of("hello")).get();
  const auto parts = store->list_parts(key, upload).get();
  EXPECT_EQ(store->complete_upload(key, upload, parts, "mine").get().size_bytes, 11U);
  EXPECT_EQ(store->get(key, {0, 100}).get().text(), "hello world");
  EXPECT_EQ(store->head(key).get()->user_metadata.at("oid"), "mine");
}

TEST_F(LocalObjectStoreTest, PartsMustLieWhereTheyEndUp) {
  auto store = open();
  const auto upload = store->create_upload(key, options_with("1")).get();
  std::vector<CompletedPart> parts;
  for (const auto& [number, offset] : {std::pair{1, 0U}, std::pair{2, 6U}}) {
    const Payload body = Payload::copy_of("hello");
    parts.push_back({number, store->upload_part(key, upload, {number, offset}, body).get(), 5});
  }
  EXPECT_EQ(error_of([&] { store->complete_upload(key, upload, parts, "1").get(); }),
            ErrorCode::rejected)
      << "a hole";
  parts[1].etag = store->upload_part(key, upload, {2, 4}, Payload::copy_of("hello")).get();
  EXPECT_EQ(error_of([&] { store->complete_upload(key, upload, parts, "1").get(); }),
            ErrorCode::rejected)
      << "an overlap";
}

TEST_F(LocalObjectStoreTest, PartsLeftOutBehindTheEndAreCutOff) {
  auto store = open();
  const auto upload = store->create_upload(key, options_with("1")).get();
  const ETag first = store->upload_part(key, upload, {1, 0}, Payload::copy_of("hello")).get();
  store->upload_part(key, upload, {2, 5}, Payload::copy_of(" world")).get();
  store->complete_upload(key, upload, {{1, first, 5}}, "1").get();
  EXPECT_EQ(store->get(key, {0, 100}).get().text(), "hello");
}

TEST_F(LocalObjectStoreTest, APartThatComesTooLateChangesNothing) {
  auto store = open();
  const auto upload = store->create_upload(key, options_with("1")).get();
  const ETag first = store->upload_part(key, upload, {1, 0}, Payload::copy_of("hello")).get();
  store->complete_upload(key, upload, {{1, first, 5}}, "1").get();
  EXPECT_EQ(error_of([&] {
              store->upload_part(key, upload, {1, 0}, Payload::copy_of("HELLO")).get();
            }),
            ErrorCode::no_such_upload);
  EXPECT_EQ(store->get(key, {0, 100}).get().text(), "hello");
}

TEST_F(LocalObjectStoreTest, HalfALineOfACrashSpoilsNoOther) {
  auto store = open();
  const auto upload = store->create_upload(key, options_with("1")).get();
  store->upload_part(key, upload, {1, 0}, Payload::copy_of("hello")).get();
  std::ofstream(upload_path(upload) / "parts", std::ios::app) << "\n2 5 6 abc";
  store->upload_part(key, upload, {3, 5}, Payload::copy_of("!")).get();
  const auto parts = store->list_parts(key, upload).get();
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].number, 1);
  EXPECT_EQ(parts[1].number, 3);
}

TEST_F(LocalObjectStoreTest, UploadIdsNameNothingElse) {
  auto store = open();
  const auto upload = store->create_upload(key, options_with("1")).get();
  std::string up = upload.text;
  up.replace(17, 5, "../..");
  for (const auto& text : {std::string(".."), std::string("../objects"), up}) {
    EXPECT_EQ(error_of([&] { store->list_parts(key, {text}).get(); }), ErrorCode::no_such_upload);
    EXPECT_EQ(error_of([&] { store->abort_upload(key, {text}).get(); }), ErrorCode::no_such_upload);
  }
  EXPECT_EQ(error_of([&] { store->list_parts({"home/v1/other"}, upload).get(); }),
            ErrorCode::no_such_upload)
      << "of another key";
}

TEST_F(LocalObjectStoreTest, OldLeftoversAreRemovedAtStart) {
  open();
  std::ofstream(path("temporary/old")) << "x";
  std::ofstream(path("temporary/new")) << "x";
  std::filesystem::last_write_time(
      path("temporary/old"),
      std::filesystem::file_time_type::clock::now() - std::chrono::hours(48));
  std::filesystem::create_directory(path("uploads/without-data"));
  std::filesystem::last_write_time(
      path("uploads/without-data"),
      std::filesystem::file_time_type::clock::now() - std::chrono::hours(48));
  open();
  EXPECT_FALSE(std::filesystem::exists(path("uploads/without-data")));
  EXPECT_FALSE(std::filesystem::exists(path("temporary/old")));
  EXPECT_TRUE(std::filesystem::exists(path("temporary/new")));
}

TEST_F(LocalObjectStoreTest, AKeyBelowAKeyIsRejected) {
  auto store = open();
  store->put({"a"}, Payload::copy_of("x"), options_with("1")).get();
  EXPECT_EQ(error_of([&] { store->put({"a/b"}, {}, options_with("2")).get(); }),
            ErrorCode::rejected);
  EXPECT_EQ(store->head({"a/b"}).get(), std::nullopt);
  store->remove({"a/b"}).get();
  EXPECT_TRUE(std::filesystem::is_empty(path("temporary"))) << "a failed put leaves nothing";
}

TEST_F(LocalObjectStoreTest, ADirectoryThatCannotBeUsedIsAnError) {
  std::ofstream(directory_.path() / "file") << "x";
  EXPECT_THROW(LocalObjectStore({.directory = directory_.path() / "file"}), Error);
}

TEST_F(LocalObjectStoreTest, TooManyWaitingCallsAreUnavailable) {
  LocalObjectStore store({.directory = directory_.path(), .queue_max = 0});
  EXPECT_EQ(error_of([&] { store.head(key).get(); }), ErrorCode::unavailable);
}

TEST_F(LocalObjectStoreTest, TheObserverHearsOfEachCall) {
  struct Counter : Observer {
    void call_finished(const FinishedCall& call) noexcept override {
      sent += call.bytes_sent;
      received += call.bytes_received;
      failed += call.ok ? 0 : 1;
    }
    void call_retried(const RetriedCall&) noexcept override {}
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    int failed = 0;
  } counter;
  {
    LocalObjectStore store({.directory = directory_.path(), .threads = 1, .observer = &counter});
    store.put(key, Payload::copy_of("hello"), options_with("1")).get();
    store.get(key, {1, 3}).get();
    EXPECT_EQ(error_of([&] { store.get({"none"}, {0, 1}).get(); }), ErrorCode::no_such_key);
  }
  EXPECT_EQ(counter.sent, 5U);
  EXPECT_EQ(counter.received, 3U);
  EXPECT_EQ(counter.failed, 1);
}

TEST_F(LocalObjectStoreTest, PassesTheCheck) {
  auto store = open();
  for (const auto& step : check_store(*store, "check")) {
    EXPECT_TRUE(step.ok) << step.name << ": " << step.message;
  }
}

}  // namespace
