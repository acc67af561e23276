// Many files, threads and connections at once.

#include <atomic>
#include <thread>

#include "sftpd/vfs/reading/block_cache.h"
#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

class ConcurrencyTest : public VfsTest {
 protected:
  static void in_parallel(int count, const std::function<void(int)>& work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back([&work, i] { work(i); });
    for (auto& thread : threads) thread.join();
  }
};

TEST_F(ConcurrencyTest, FiftyWritersShareLittleMemoryAlthoughSomeAreIdle) {
  options.transfer_memory_max = 32 * mib;
  options.part_size = 8 * mib;
  restart();
  auto& pool = files->memory();
  std::atomic<bool> above = false;
  auto write_range = [&](FileHandle& handle, const std::string& content, std::size_t from,
                         std::size_t to) {
    for (std::size_t at = from; at < to; at += 32 * kib) {
      handle.write(at, storage::Payload::copy_of(std::string_view(content).substr(at, 32 * kib)))
          .get();
      if (pool.used() > pool.capacity()) above = true;
    }
  };
  constexpr int idle_count = 20;
  std::vector<std::unique_ptr<FileHandle>> idle;
  for (int i = 0; i < idle_count; ++i) {
    idle.push_back(create("idle-" + std::to_string(i)));
    write_range(*idle.back(), noise(1 * mib, static_cast<unsigned>(100 + i)), 0, 1 * mib);
  }
  in_parallel(30, [&](int i) {
    Vfs session(*files, identity);
    const auto handle =
        session.open_file("busy-" + std::to_string(i), {.write = true, .create = true}, {});
    write_range(*handle, noise(2 * mib, static_cast<unsigned>(i)), 0, 2 * mib);
    handle->close().get();
  });
  in_parallel(idle_count, [&](int i) {
    const auto n = static_cast<std::size_t>(i);
    write(*idle[n], 1 * mib, noise(100 * kib, static_cast<unsigned>(200 + i)));
    idle[n]->close().get();
  });
  EXPECT_FALSE(above);
  idle.clear();
  drain();
  EXPECT_EQ(pool.used(), 0U);
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(read("busy-" + std::to_string(i)), noise(2 * mib, static_cast<unsigned>(i))) << i;
  }
  for (int i = 0; i < idle_count; ++i) {
    EXPECT_EQ(read("idle-" + std::to_string(i)),
              noise(1 * mib, static_cast<unsigned>(100 + i)) +
                  noise(100 * kib, static_cast<unsigned>(200 + i)));
  }
}

TEST_F(ConcurrencyTest, LargeEditsCommitAtOnceOnFewThreads) {
  options.transfer_memory_max = 32 * mib;
  options.commit_threads = 2;
  restart();
  in_parallel(6, [&](int i) {
    Vfs session(*files, identity);
    const std::string name = "edit-" + std::to_string(i);
    const auto handle = session.open_file(name, {.read = true, .write = true, .create = true}, {});
    write(*handle, 8 * mib - 1, "x");
    for (std::size_t at = 0; at < 7 * mib; at += 1 * mib) {
      write(*handle, at, noise(900 * kib, static_cast<unsigned>(i)));
    }
    handle->close().get();
  });
  for (int i = 0; i < 6; ++i) {
    const auto handle = open_reading("edit-" + std::to_string(i));
    EXPECT_EQ(handle->attributes().size, 8 * mib);
    EXPECT_EQ(handle->read(6 * mib, 256 * kib).get().text(),
              noise(900 * kib, static_cast<unsigned>(i)).substr(0, 256 * kib));
  }
}

TEST_F(ConcurrencyTest, AppendsOfManyConnectionsAreAllThere) {
  put("log", "");
  constexpr int rounds = 25;
  in_parallel(4, [&](int i) {
    Vfs session(*files, identity);
    for (int round = 0; round < rounds; ++round) {
      const auto handle = session.open_file("log", {.write = true, .append = true}, {});
      write(*handle, 0, std::string(100, static_cast<char>('a' + i)));
      handle->close().get();
    }
  });
  const std::string log = read("log");
  ASSERT_EQ(log.size(), 4U * rounds * 100);
  for (std::size_t at = 0; at < log.size(); at += 100) {
    EXPECT_EQ(log.substr(at, 100), std::string(100, log[at])) << "records are whole";
  }
  EXPECT_EQ(read_elsewhere("log"), log);
}

TEST_F(ConcurrencyTest, AtomicSavesAreNeverSeenHalf) {
  put("file", std::string(2000, 'z'));
  std::atomic<bool> done = false;
  std::thread reader([&] {
    Vfs session(*files, identity);
    while (!done) {
      const std::string seen = read(*session.open_file("file", {.read = true}, {}));
      ASSERT_EQ(seen.size(), 2000U);
      ASSERT_EQ(seen, std::string(2000, seen[0]));
    }
  });
  in_parallel(3, [&](int i) {
    Vfs session(*files, identity);
    const std::string name = "save-" + std::to_string(i);
    for (int round = 0; round < 15; ++round) {
      const auto handle =
          session.open_file(name, {.write = true, .create = true, .exclusive = true}, {});
      write(*handle, 0, std::string(2000, static_cast<char>('a' + round)));
      auto closed = handle->close();
      session.rename_over(name, "file").get();
      closed.get();
    }
  });
  done = true;
  reader.join();
  EXPECT_EQ(text("SELECT count(*) FROM nodes WHERE kind = 'file'"), "1");
}

TEST_F(ConcurrencyTest, OneSlowStoreRequestHoldsNobodyElseBack) {
  put("slow", noise(60 * kib));
  put("fast", noise(60 * kib, 2));
  restart();
  const auto slow = open_editing("slow");
  const auto fast = open_editing("fast");
  store.add({.operation = Operation::get, .fault = Fault::hold});
  auto held = slow->read(0, 100);
  EXPECT_EQ(fast->read(0, 100).get().text(), noise(60 * kib, 2).substr(0, 100));
  EXPECT_EQ(slow->attributes().size, 60 * kib);
  write(*slow, 60 * kib, "more");
  EXPECT_FALSE(held.ready());
  store.release();
  EXPECT_EQ(held.get().text(), noise(60 * kib).substr(0, 100));
}

TEST_F(ConcurrencyTest, AFastUploadDoesNotCutASlowOneWhileThereIsMemory) {
  const std::string content = noise(2 * mib);
  const auto slow = create("slow");
  const auto fast = create("fast");
  store.add({.operation = Operation::upload_part,
             .fault = Fault::delay,
             .times = 1000,
             .delay = std::chrono::milliseconds{5}});
  std::vector<storage::Future<void>> writes;
  for (std::uint64_t at = 0; at < content.size(); at += 32 * kib) {
    write(*slow, at / 16, content.substr(at / 16, 2 * kib));
    writes.push_back(start_write(*fast, at, content.substr(at, 32 * kib)));
  }
  for (auto& each : writes) each.get();
  fast->close().get();
  slow->close().get();
  EXPECT_EQ(text("SELECT count(*) FROM extents"), "2");
  EXPECT_TRUE(read("slow") == content.substr(0, content.size() / 16));
}

TEST_F(ConcurrencyTest, PipelinedReadsOfASmallFileAreOneGet) {
  put("file", noise(60 * kib));
  restart();
  const int before = store.calls(Operation::get);
  const auto handle = open_reading("file");
  std::vector<storage::Future<storage::Payload>> answers;
  for (std::uint64_t at = 0; at < 64 * kib; at += 4 * kib)
    answers.push_back(handle->read(at, 4 * kib));
  std::string content;
  for (auto& answer : answers) content += answer.get().text();
  EXPECT_EQ(content, noise(60 * kib));
  EXPECT_EQ(store.calls(Operation::get) - before, 1);
}

TEST_F(ConcurrencyTest, ReadersOfAFileThatIsWrittenSeeWhatWasWritten) {
  const std::string content = noise(1 * mib);
  const auto writer = create("file");
  std::atomic<std::size_t> written = 0;
  std::thread reading([&] {
    Vfs session(*files, identity);
    const auto reader = session.open_file("file", {.read = true}, {});
    while (written < content.size()) {
      const std::size_t end = written;
      const std::size_t from = end - std::min<std::size_t>(end, 40 * kib);
      const auto bytes = reader->read(from, static_cast<std::uint32_t>(end - from)).get();
      ASSERT_EQ(bytes.text(), std::string_view(content).substr(from, end - from));
    }
  });
  for (std::size_t at = 0; at < content.size(); at += 32 * kib) {
    write(*writer, at, content.substr(at, 32 * kib));
    written = at + 32 * kib;
  }
  reading.join();
  writer->close().get();
  EXPECT_EQ(read("file"), content);
}

TEST_F(ConcurrencyTest, AListingNeverShowsLessThanWasWrittenBeforeItBegan) {
  constexpr int rounds = 150;
  for (int i = 0; i < 60; ++i) put("a" + std::to_string(i), "");
  put("file", "");
  std::atomic<std::uint64_t> written = 0;
  std::atomic<bool> done = false;
  std::thread writer([&] {
    Vfs session(*files, identity);
    for (int i = 0; i < rounds; ++i) {
      const auto handle = session.open_file("file", {.write = true}, {});
      handle->write(written, storage::Payload::copy_of("x")).get();
      ++written;
      handle->close().get();
    }
    done = true;
  });
  int stale = 0;
  while (!done) {
    const std::uint64_t before = written;
    for (const auto& entry : vfs->open_directory("/")->next(100)) {
      if (entry.name == "file" && entry.attributes.size < before) ++stale;
    }
  }
  writer.join();
  EXPECT_EQ(stale, 0);
}

TEST_F(ConcurrencyTest, ASizeIsNeverMoreThanWasAppended) {
  const auto handle = open("file", {.write = true, .append = true, .create = true});
  std::atomic<std::uint64_t> appended = 0;
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 5000; ++i) {
      appended += 10;
      start_write(*handle, 0, "ten bytes.").get();
    }
    done = true;
  });
  int wrong = 0;
  while (!done) {
    const std::uint64_t size = handle->attributes().size;
    if (size > appended) ++wrong;
  }
  writer.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(handle->attributes().size, appended);
}

TEST_F(ConcurrencyTest, ASlowReaderHoldsItsOwnWindowOnly) {
  options.transfer_memory_max = 64 * mib;
  options.read_cache_max = 2 * mib;
  restart();
  put("slow", noise(8 * mib));
  put("fast", noise(8 * mib, 2));
  restart();
  const auto slow = open_reading("slow");
  std::vector<storage::Payload> not_sent_yet;
  for (std::size_t at = 0; at < 1 * mib; at += 32 * kib) {
    not_sent_yet.push_back(slow->read(at, 32 * kib).get());
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read("fast"), noise(8 * mib, 2));
  files->cache().wait_until_idle();
  EXPECT_LE(files->cache().used(), 4 * mib) << "the cache, and what the slow one was given";
  std::string content;
  for (const auto& bytes : not_sent_yet) content += bytes.text();
  while (content.size() < 8 * mib) {
    content += slow->read(content.size(), 32 * kib).get().text();
  }
  EXPECT_EQ(content, noise(8 * mib));
}

TEST_F(ConcurrencyTest, NobodyIsReadForAheadWhileAnswersFillTheCache) {
  options.read_cache_max = 2 * mib;
  restart();
  put("file", noise(8 * mib));
  restart();
  const auto reader = open_reading("file");
  EXPECT_GT(vfs->read_ahead_max(), 0U);
  std::vector<storage::Payload> not_sent_yet;
  for (std::size_t at = 0; at < 8 * mib; at += 128 * kib) {  // not in order
    not_sent_yet.push_back(reader->read(8 * mib - 128 * kib - at, 128 * kib).get());
  }
  EXPECT_EQ(vfs->read_ahead_max(), 0U);
  not_sent_yet.clear();
  files->cache().wait_until_idle();
  EXPECT_GT(vfs->read_ahead_max(), 0U);
}

}  // namespace
}  // namespace sftpd::vfs
