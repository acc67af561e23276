#include "sftpd/vfs/writing/object_writer.h"

#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

using Result = ObjectWriter::Result;

class ObjectWriterTest : public VfsTest {
 protected:
  ObjectWriterTest() {
    put("file", "");
    file = node("file");
  }

  std::shared_ptr<ObjectWriter> start(std::uint64_t file_offset = 0) {
    return std::make_shared<ObjectWriter>(*files, identity.account, file.id, file.file,
                                          identity.user, file_offset,
                                          ObjectWriter::Recovery::possible);
  }

  /// Writes, waiting where memory or parts have to come back first.
  Result put_bytes(ObjectWriter& writer, std::uint64_t offset, const std::string& bytes) {
    for (;;) {
      const auto seen = files->memory().releases();
      const auto result = writer.write(offset, std::as_bytes(std::span(bytes)));
      if (result != Result::wait && result != Result::busy) return result;
      auto released = std::make_shared<storage::Promise<void>>();
      auto future = released->future();
      files->memory().when_released(seen, [released] { released->set_value(); });
      future.get();
    }
  }

  std::string stored(const WrittenObject& written) {
    return std::string(
        memory_store.get(storage::ObjectKey{written.key}, {0, written.row.size}).get().text());
  }
  std::string state_of(const metadata::ObjectId& object) {
    return text("SELECT state FROM objects WHERE id = " + std::to_string(object.value));
  }

  metadata::Node file;
};

TEST_F(ObjectWriterTest, OnePartIsAPut) {
  const auto writer = start();
  put_bytes(*writer, 0, noise(50 * kib));
  EXPECT_EQ(writer->end(), 50 * kib);
  const auto written = writer->finish("text/plain");
  EXPECT_EQ(stored(written), noise(50 * kib));
  EXPECT_FALSE(written.upload_row);
  EXPECT_EQ(store.calls(Operation::put), 1);
  EXPECT_EQ(writer->held(), 0U);
}

TEST_F(ObjectWriterTest, PartsAreSentWhileTheNextOnesFill) {
  store.add({.operation = Operation::upload_part, .fault = Fault::hold, .times = 2});
  const auto writer = start(1000);
  for (std::size_t at = 0; at < 200 * kib; at += 40 * kib) {
    put_bytes(*writer, 1000 + at, noise(200 * kib).substr(at, 40 * kib));
  }
  store.wait_until_held(2);
  EXPECT_EQ(writer->end(), 1000 + 200 * kib);
  store.release();
  const auto written = writer->finish("");
  EXPECT_EQ(stored(written), noise(200 * kib));
  EXPECT_TRUE(written.upload_row);
  EXPECT_EQ(text("SELECT file_offset FROM uploads"), "1000");
}

TEST_F(ObjectWriterTest, ObjectsOfSeveralPartsAreNamedByTheirFirst) {
  const auto writer = start();
  put_bytes(*writer, 0, "%PDF-1.4\n%\xE2\xE3\xCF\xD3\n" + noise(100 * kib));
  const auto written = writer->finish("application/pdf");
  const storage::ObjectKey key{written.key};
  EXPECT_EQ(store.calls(Operation::complete_upload), 1);
  EXPECT_EQ(memory_store.content_type(key), "application/pdf");
  const auto labels = memory_store.head(key).get()->user_metadata;
  EXPECT_EQ(labels.at("oid"), std::to_string(written.row.object.value));
  EXPECT_EQ(labels.at("account"), std::to_string(identity.account.value));
  EXPECT_EQ(labels.at("node"), std::to_string(file.id.value));
  EXPECT_THAT(labels.at("created"),
              testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"));
}

TEST_F(ObjectWriterTest, WhatBeginsInsideOfAFileHasNoTypeOfItsOwn) {
  const auto writer = start(1000);
  put_bytes(*writer, 1000, "%PDF-1.4\n" + noise(100 * kib));
  const auto written = writer->finish("image/jpeg");
  EXPECT_EQ(memory_store.content_type({written.key}), "application/octet-stream");
}

TEST_F(ObjectWriterTest, WaitsWhenTooManyPartsAreUnderWay) {
  store.add({.operation = Operation::upload_part, .fault = Fault::hold, .times = 4});
  const auto writer = start();
  const std::string part = noise(64 * kib);
  for (std::uint64_t i = 0; i < 4; ++i) put_bytes(*writer, i * part.size(), part);
  store.wait_until_held(4);
  EXPECT_EQ(writer->write(4 * part.size(), std::as_bytes(std::span(part))), Result::busy);
  store.release();
  EXPECT_EQ(put_bytes(*writer, 4 * part.size(), part), Result::taken);
  writer->finish("");
}

TEST_F(ObjectWriterTest, AcceptsWhatIsInsideItsWindow) {
  const auto writer = start(1000);
  EXPECT_TRUE(writer->accepts(1000, 100 * mib)) << "what begins an object always fits";
  EXPECT_FALSE(writer->accepts(999, 10));
  EXPECT_TRUE(writer->accepts(1000 + 100 * kib, 10));
  EXPECT_FALSE(writer->accepts(1000 + 128 * kib, 10));
  put_bytes(*writer, 1000, noise(70 * kib));
  EXPECT_FALSE(writer->accepts(1000, 10)) << "its part is sent";
  EXPECT_TRUE(writer->accepts(1000 + 66 * kib, 10));
  EXPECT_TRUE(writer->accepts(1000 + 150 * kib, 10));
  writer->abandon();
}

TEST_F(ObjectWriterTest, TakesBytesInAnyOrder) {
  const auto writer = start();
  const std::string content = noise(120 * kib);
  for (const std::size_t at : {40U, 80U, 0U, 100U, 60U, 20U}) {
    put_bytes(*writer, at * kib, content.substr(at * kib, 20 * kib));
  }
  EXPECT_EQ(writer->end(), 120 * kib);
  EXPECT_EQ(stored(writer->finish("")), content);
}

TEST_F(ObjectWriterTest, WhatLiesBehindAGapIsLeftOver) {
  const auto writer = start();
  const std::string content = noise(120 * kib);
  put_bytes(*writer, 0, content.substr(0, 10 * kib));
  put_bytes(*writer, 20 * kib, content.substr(20 * kib, 5 * kib));
  put_bytes(*writer, 60 * kib, content.substr(60 * kib, 10 * kib));  // Across two parts.
  const auto leftovers = writer->take_leftovers();
  std::size_t total = 0;
  for (const auto& left : leftovers) {
    const std::string bytes(reinterpret_cast<const char*>(left.bytes.data()), left.bytes.size());
    EXPECT_EQ(bytes, content.substr(left.offset, bytes.size()));
    EXPECT_GE(left.offset, 20 * kib);
    total += bytes.size();
  }
  EXPECT_EQ(total, 15 * kib);
  EXPECT_EQ(stored(writer->finish("")), content.substr(0, 10 * kib));
}

TEST_F(ObjectWriterTest, GivesBufferedBytesButNotSentOnes) {
  const auto writer = start();
  const std::string content = noise(70 * kib);
  put_bytes(*writer, 0, content);
  std::string bytes(1000, '?');
  EXPECT_TRUE(writer->copy_out(65 * kib, std::as_writable_bytes(std::span(bytes))));
  EXPECT_EQ(bytes, content.substr(65 * kib, 1000));
  EXPECT_FALSE(writer->copy_out(60 * kib, std::as_writable_bytes(std::span(bytes))));
  writer->abandon();
}

TEST_F(ObjectWriterTest, KnowsItsFirstBytes) {
  const auto writer = start();
  const std::string content = noise(100 * kib);
  put_bytes(*writer, 0, content);
  const auto head = writer->head();
  ASSERT_EQ(head.size(), 4 * kib);
  EXPECT_EQ(static_cast<char>(head[4095]), content[4095]);
  writer->abandon();
}

TEST_F(ObjectWriterTest, AFewBytesCanBeTakenInstead) {
  const auto writer = start();
  put_bytes(*writer, 0, "few");
  EXPECT_FALSE(writer->take_small(2));
  const auto taken = writer->take_small(3);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->size(), 3U);
  EXPECT_FALSE(writer->accepts(3, 1)) << "it is over";
}

TEST_F(ObjectWriterTest, ADuplicateStoresNothing) {
  put("known", noise(50 * kib));
  const auto writer = start();
  put_bytes(*writer, 0, noise(50 * kib));
  const auto written = writer->finish("");
  EXPECT_TRUE(written.duplicate);
  EXPECT_EQ(store.calls(Operation::put), 1);
  EXPECT_EQ(state_of(written.row.object), "live");
}

TEST_F(ObjectWriterTest, AbandonedItIsTheCollectors) {
  auto writer = start();
  put_bytes(*writer, 0, noise(200 * kib));
  writer->abandon();
  writer = nullptr;
  restart();  // Waits for it.
  EXPECT_EQ(text("SELECT count(*) FROM objects WHERE state <> 'dead'"), "0");
  EXPECT_EQ(files->memory().used(), 0U);
}

TEST_F(ObjectWriterTest, AFailureIsTheNextWritesAndTheEnds) {
  store.add({.operation = Operation::upload_part});
  const auto writer = start();
  put_bytes(*writer, 0, noise(64 * kib));
  EXPECT_THROW(
      {
        for (std::uint64_t at = 64 * kib;; at += 1 * kib) put_bytes(*writer, at, noise(1 * kib));
      },
      storage::Error);
  EXPECT_THROW(writer->finish(""), storage::Error);
  EXPECT_EQ(files->memory().used(), 0U);
}

TEST_F(ObjectWriterTest, ShortOfMemoryItSendsWhatThereIs) {
  options.transfer_memory_max = 32 * mib;  // 16 MiB of them for writing.
  options.part_size = 4 * mib;
  restart();
  const auto writer = start();
  std::vector<std::unique_ptr<MemoryPool::Share>> others;
  put_bytes(*writer, 0, noise(800 * kib));
  while (files->memory().used() + 1 * mib <= files->memory().capacity()) {
    others.push_back(std::make_unique<MemoryPool::Share>(files->memory()));
    ASSERT_TRUE(others.back()->try_reserve(1 * mib));
  }
  EXPECT_EQ(put_bytes(*writer, 800 * kib, noise(300 * kib, 2)), Result::taken);
  EXPECT_EQ(store.calls(Operation::upload_part), 1) << "a part before it was full";
  others.clear();
  EXPECT_EQ(stored(writer->finish("")), noise(800 * kib) + noise(300 * kib, 2));
}

TEST_F(ObjectWriterTest, ShortOfMemoryWithTooLittleForAPartItAsksToBeCut) {
  storage::Limits limits;  // 5 MiB a part at least.
  test_support::MemoryObjectStore large(limits);
  options.transfer_memory_max = 32 * mib;
  FileSystem there(scratch.database(), large, options);
  const auto writer =
      std::make_shared<ObjectWriter>(there, identity.account, file.id, file.file, identity.user, 0,
                                     ObjectWriter::Recovery::possible);
  const std::string first = noise(800 * kib);
  EXPECT_EQ(writer->write(0, std::as_bytes(std::span(first))), Result::taken);
  MemoryPool::Share other(there.memory());
  ASSERT_TRUE(other.try_reserve(8 * mib));
  const std::string more = noise(8 * mib, 2);
  EXPECT_EQ(writer->write(800 * kib, std::as_bytes(std::span(more))), Result::cut);
  writer->finish("");
}

}  // namespace
}  // namespace sftpd::vfs
