// copy-data: bytes of one file in another one, without moving them.

#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

class CopyTest : public VfsTest {};

TEST_F(CopyTest, AWholeFileSharesItsObject) {
  put("file", noise(200 * kib));
  const auto source = open_reading("file");
  const auto target = create("copy");
  source->copy_to(0, 0, *target, 0).get();
  EXPECT_EQ(stat("copy").size, 200 * kib);
  target->close().get();
  EXPECT_EQ(read_elsewhere("copy"), noise(200 * kib));
  EXPECT_EQ(live_objects(), 1);
}

TEST_F(CopyTest, ARangeToAnotherPlace) {
  put("file", noise(200 * kib));
  put("copy", noise(100 * kib, 2));
  const auto source = open_reading("file");
  const auto target = open_editing("copy");
  source->copy_to(50 * kib, 30 * kib, *target, 90 * kib).get();
  EXPECT_EQ(
      target->read(89 * kib, 2 * kib).get().text(),
      noise(100 * kib, 2).substr(89 * kib, 1 * kib) + noise(200 * kib).substr(50 * kib, 1 * kib));
  target->close().get();
  EXPECT_EQ(read("copy"),
            noise(100 * kib, 2).substr(0, 90 * kib) + noise(200 * kib).substr(50 * kib, 30 * kib));
}

TEST_F(CopyTest, HolesAndTheEndOfTheSource) {
  const auto writer = create("file");
  write(*writer, 0, "begin");
  write(*writer, 100, "end");
  writer->close().get();
  put("copy", std::string(300, 'x'));
  const auto target = open_editing("copy");
  open_reading("file")->copy_to(0, 1000, *target, 10).get();
  open_reading("file")->copy_to(5000, 10, *target, 0).get();
  target->close().get();
  EXPECT_EQ(read("copy"), std::string(10, 'x') + "begin" + std::string(95, '\0') + "end" +
                              std::string(300 - 113, 'x'));
}

TEST_F(CopyTest, WhatIsNotCommittedYetIsCopiedToo) {
  const auto source = open("file", {.read = true, .write = true, .create = true});
  write(*source, 0, noise(100 * kib));
  const auto target = create("copy");
  auto copied = source->copy_to(0, 0, *target, 0);
  auto later = start_write(*source, 0, "later");
  copied.get();
  later.get();
  target->close().get();
  EXPECT_EQ(read("copy"), noise(100 * kib)) << "as it was when it was asked for";
  source->close().get();
  EXPECT_EQ(read("file").substr(0, 5), "later");
}

TEST_F(CopyTest, InsideOneFile) {
  const auto handle = open("file", {.read = true, .write = true, .create = true});
  write(*handle, 0, noise(100 * kib));
  handle->copy_to(0, 60 * kib, *handle, 100 * kib).get();
  handle->copy_to(10 * kib, 20 * kib, *handle, 20 * kib).get();
  handle->close().get();
  std::string expected = noise(100 * kib) + noise(100 * kib).substr(0, 60 * kib);
  expected.replace(20 * kib, 20 * kib, expected.substr(10 * kib, 20 * kib));
  EXPECT_EQ(read("file"), expected);
}

TEST_F(CopyTest, ManyAtOnceCrosswiseEnd) {
  options.commit_threads = 2;
  restart();
  std::vector<std::unique_ptr<FileHandle>> handles;
  for (int i = 0; i < 6; ++i) {
    handles.push_back(
        open("file-" + std::to_string(i), {.read = true, .write = true, .create = true}));
    write(*handles.back(), 0, noise(20 * kib, static_cast<unsigned>(i)));
  }
  std::vector<storage::Future<void>> answers;
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::size_t k = 0; k < 6; ++k) {
      answers.push_back(handles[i]->copy_to(0, 1 * kib, *handles[k], (20 + i) * kib));
    }
  }
  for (auto& answer : answers) answer.get();
  for (auto& handle : handles) handle->close().get();
  EXPECT_EQ(stat("file-0").size, 26 * kib);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(read("file-5").substr((20 + i) * kib, 1 * kib),
              noise(20 * kib, static_cast<unsigned>(i)).substr(0, 1 * kib));
  }
}

TEST_F(CopyTest, FromARemovedFileWhoseChangesAreNowhereElse) {
  const auto source = open("file", {.read = true, .write = true, .create = true});
  write(*source, 0, noise(100 * kib));
  vfs->remove_file("file");
  const auto target = create("copy");
  source->copy_to(0, 0, *target, 0).get();
  target->close().get();
  EXPECT_EQ(read("copy"), noise(100 * kib));
}

TEST_F(CopyTest, NeedsTheRightHandles) {
  put("file", "content");
  const auto reader = open_reading("file");
  const auto writer = open_writing("file");
  EXPECT_EQ(code_of([&] { writer->copy_to(0, 0, *writer, 0).get(); }), ErrorCode::bad_handle);
  EXPECT_EQ(code_of([&] { reader->copy_to(0, 0, *reader, 0).get(); }), ErrorCode::bad_handle);
}

TEST_F(CopyTest, NoCopyIsLargerThanAFile) {
  put("file", "content");
  const auto reader = open_reading("file");
  const auto writer = create("copy");
  const auto copy = [&](std::uint64_t length, std::uint64_t to) {
    return code_of([&] { reader->copy_to(0, length, *writer, to).get(); });
  };
  EXPECT_EQ(copy(~std::uint64_t{0}, 0), ErrorCode::file_too_large);
  EXPECT_EQ(copy(0, file_size_max - 6), ErrorCode::file_too_large) << "up to the source's end";
  EXPECT_EQ(copy(1, file_size_max), ErrorCode::file_too_large);
  EXPECT_EQ(writer->attributes().size, 0U);
  EXPECT_EQ(copy(0, file_size_max - 7), std::nullopt);
}

}  // namespace
}  // namespace sftpd::vfs
