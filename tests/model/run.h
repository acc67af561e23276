#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "metadata/database.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/vfs.h"
#include "storage/object_store.h"
#include "tests/model/reference.h"
#include "tests/support/metadata/scratch_database.h"

namespace model {

/// One run: random operations on a few files, each compared with the reference.
///
/// `store` is what the process uses and may fail; `clean_store` is the same without faults. Throws
/// std::runtime_error with the last operations when something is not as it must be.
class Run {
 public:
  struct Options {
    std::uint64_t seed = 1;
    bool may_fail = false;
    /// Files, writes and parts are so many times larger than for a store without a least part size.
    std::size_t scale = 1;
    sftpd::vfs::FileSystem::InterruptedUploads interrupted =
        sftpd::vfs::FileSystem::InterruptedUploads::keep;
  };
  Run(storage::ObjectStore& store, storage::ObjectStore& clean_store, Options options);
  ~Run();

  void step();
  /// Ends all: every file is compared, all are removed, and nothing may be left in the store.
  void finish();

 private:
  using Future = storage::Future<void>;
  struct Handle {
    std::unique_ptr<sftpd::vfs::FileHandle> handle;
    FilePtr file;
    sftpd::vfs::OpenFlags flags;
  };

  // Operations, each with its effect on the reference.
  void open();
  void write();
  void read();
  void resize();
  void resize_by_path();
  void sync();
  void close();
  void drop();
  void rename();
  void rename_over();
  void remove();
  void copy();
  void look();
  void destage();
  void flatten();
  void restart();

  std::uint64_t below(std::uint64_t end) { return end == 0 ? 0 : random_() % end; }
  bool one_in(std::uint64_t count) { return below(count) == 0; }
  std::string some_name() { return "file-" + std::to_string(below(4)); }
  std::string some_bytes(std::size_t size);
  std::uint64_t some_offset(const File& file);
  Handle* some_handle(bool sftpd::vfs::OpenFlags::*flag);
  std::string content_elsewhere(const std::string& name);
  std::string name_of(const FilePtr& file) const;

  /// Runs it. False if it failed, which it may only where faults are injected.
  bool succeeds(const std::function<void()>& work);
  void note(const std::string& operation);
  void expect(bool holds, const std::string& what);
  void check_content(const std::string& found, const std::string& expected,
                     const std::string& what);
  /// A writer of the file is gone: what failed shows what it left.
  void writer_left(const FilePtr& file);
  void keep_prefix(const FilePtr& file);
  void settle(const FilePtr& file);
  void check_all();
  void start();
  void collect_garbage();
  void delete_dead_objects();
  std::size_t size_max() const { return 60'000 * options_.scale; }

  const Options options_;
  std::mt19937_64 random_;
  std::string letters_;  ///< contents are pieces of it
  storage::ObjectStore& store_;
  storage::ObjectStore& clean_store_;
  tests::ScratchDatabase scratch_;
  sftpd::vfs::Identity identity_;
  metadata::Database witness_database_;              ///< it remembers no names
  std::unique_ptr<sftpd::vfs::FileSystem> witness_;  ///< another process, without faults
  std::unique_ptr<sftpd::vfs::Vfs> witness_tree_;
  std::unique_ptr<sftpd::vfs::FileSystem> files_;
  std::unique_ptr<sftpd::vfs::Vfs> vfs_;
  Names names_;
  std::vector<Handle> handles_;
  std::deque<std::string> last_operations_;
  std::uint64_t count_ = 0;
};

}  // namespace model
