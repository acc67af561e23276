#pragma once

#include <string>

#include "metadata/repositories/versions.h"
#include "sftpd/jobs/collect_garbage.h"
#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {

using std::chrono::seconds;

inline constexpr seconds no_quiet{0};

/// Files in several pieces, nothing inline.
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

}  // namespace sftpd::vfs
