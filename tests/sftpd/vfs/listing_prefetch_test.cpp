// Clients that open the files of a directory one after the other.

#include <fmt/format.h>

#include "sftpd/vfs/reading/block_cache.h"
#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

class ListingPrefetchTest : public VfsTest {
 protected:
  static constexpr int count = 40;

  ListingPrefetchTest() {
    vfs->make_directory("album", {});
    for (int i = 0; i < count; ++i) put(name(i), content(i));
    restart();
    gets_before_ = gets();
  }

  static std::string name(int i) { return fmt::format("album/{:03}.jpg", i); }
  static std::string content(int i) { return noise(20 * kib, static_cast<unsigned>(i)); }
  int gets() { return store.calls(Operation::get); }

  /// The store gives no answer, so that those it owes can be counted.
  void hold_answers() {
    store.add({.operation = Operation::get, .fault = Fault::hold, .times = 1000});
  }
  void answer() {
    store.clear();
    store.release();
    files->cache().wait_until_idle();
  }
  /// GETs made so far; ends the process, so that nothing is under way.
  int gets_made() {
    restart();
    return gets() - gets_before_;
  }

 private:
  int gets_before_ = 0;
};

TEST_F(ListingPrefetchTest, FetchesTheNextFilesOfWhoOpensThemInOrder) {
  hold_answers();
  std::vector<std::unique_ptr<FileHandle>> handles;
  for (int i = 0; i < 3; ++i) handles.push_back(open_reading(name(i)));
  store.wait_until_held(3 + 24);  // All of them: one that came during answer() would stay held.
  answer();
  const int before = gets();
  for (int i = 0; i < 12; ++i) EXPECT_EQ(read(name(i)), content(i)) << i;
  EXPECT_LT(gets() - before, count - 12) << "they were there, but for those further on";
}

TEST_F(ListingPrefetchTest, EachFileIsFetchedOnce) {
  for (int i = 0; i < count; ++i) EXPECT_EQ(read(name(i)), content(i)) << i;
  EXPECT_EQ(gets_made(), count);
}

TEST_F(ListingPrefetchTest, TwoFilesAreNoListing) {
  for (int i = 0; i < 2; ++i) (void)read(name(i));
  EXPECT_EQ(gets_made(), 2);
}

TEST_F(ListingPrefetchTest, WhoJumpsAboutGetsNothingAhead) {
  for (const int i : {30, 20, 10, 5, 4, 3, 2, 1, 0}) (void)read(name(i));
  EXPECT_EQ(gets_made(), 9);
}

TEST_F(ListingPrefetchTest, WhoOnlyLooksOrWritesGetsNothingAhead) {
  for (int i = 0; i < 10; ++i) {
    stat(name(i));
    open_editing(name(i))->close().get();
  }
  EXPECT_EQ(gets_made(), 0);
}

TEST_F(ListingPrefetchTest, FilesThatCameWentOrChangedMeanwhileAreReadRight) {
  for (int i = 0; i < 4; ++i) (void)read(name(i));
  vfs->remove_file(name(6));
  put(name(7), "changed");
  vfs->make_directory("album/0055", {});
  for (const int i : {4, 5, 8, 9, 10}) EXPECT_EQ(read(name(i)), content(i)) << i;
  EXPECT_EQ(read(name(7)), "changed");
  EXPECT_EQ(code_of([&] { (void)read(name(6)); }), ErrorCode::not_found);
}

TEST_F(ListingPrefetchTest, AFullCacheIsNotFilledFurther) {
  options.transfer_memory_max = 64 * mib;
  options.read_cache_max = 64 * kib;  // A reader's share: one file and a half.
  EXPECT_EQ(gets_made(), 0);
  for (int i = 0; i < count; ++i) EXPECT_EQ(read(name(i)), content(i)) << i;
  EXPECT_LE(files->cache().used(), 128 * kib);
  EXPECT_LE(gets_made(), 2 * count);
}

}  // namespace
}  // namespace sftpd::vfs
