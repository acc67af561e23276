// The SHA-256 of a file's content is recorded at upload, in however many objects it ends.

#include <gtest/gtest.h>

#include <string>

#include "sftpd/vfs/content/hash.h"
#include "sftpd/vfs/open_file/open_file.h"
#include "sftpd/vfs/open_file/open_files.h"
#include "tests/sftpd/vfs/noise.h"
#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

class ContentHashTest : public VfsTest {
 protected:
  /// As when memory is short: what has arrived becomes an object of its own.
  void cut(const std::string& path) {
    files->open_files().find(identity.account, node(path).file)->relieve();
  }

  /// Of the version that is the file's content; empty if none is recorded.
  std::string recorded(const std::string& path) {
    return text(
        "SELECT coalesce(encode(v.sha256, 'hex'), '') FROM versions v"
        " JOIN nodes n ON n.account_id = v.account_id AND n.version_id = v.id WHERE n.name = '" +
        path + "'");
  }

  static std::string hash_of(const std::string& content) { return hexadecimal(sha256_of(content)); }

  int extents(const std::string& path) {
    return std::stoi(
        text("SELECT count(*) FROM extents e JOIN nodes n ON n.account_id = e.account_id"
             " AND n.version_id = e.version_id WHERE n.name = '" +
             path + "'"));
  }

  /// Three objects and an inline tail: what ends, begins and goes on in the middle of parts.
  std::string upload_in_pieces(const std::string& path) {
    const std::string content = noise(450 * kib + 700);
    const auto handle = create(path);
    std::size_t from = 0;
    for (const std::size_t end : {100 * kib, 350 * kib, 450 * kib, content.size()}) {
      write_all(*handle, content.substr(from, end - from), from);
      if (end < content.size()) cut(path);
      from = end;
    }
    handle->close().get();
    EXPECT_EQ(extents(path), 4);
    return content;
  }
};

TEST_F(ContentHashTest, OfAnUploadInOneObjectOrInline) {
  const std::string content = noise(300 * kib);
  put("object", content);
  put("inline", "a few bytes");
  put("empty", "x");
  put("empty", "");
  EXPECT_EQ(recorded("object"), hash_of(content));
  EXPECT_EQ(recorded("inline"), hash_of("a few bytes"));
  EXPECT_EQ(recorded("empty"), hash_of(""));
}

TEST_F(ContentHashTest, OfAnUploadThatMemoryCutIntoSeveral) {
  const std::string content = upload_in_pieces("file");
  EXPECT_EQ(recorded("file"), hash_of(content));
  EXPECT_EQ(read_elsewhere("file"), content);
}

TEST_F(ContentHashTest, OfAnUploadThatIsSyncedInTheMiddle) {
  const std::string content = noise(500 * kib);
  const auto handle = create("file");
  write_all(*handle, content.substr(0, 200 * kib));
  handle->sync().get();
  EXPECT_EQ(recorded("file"), hash_of(content.substr(0, 200 * kib)));
  write_all(*handle, content.substr(200 * kib), 200 * kib);
  handle->close().get();
  EXPECT_EQ(recorded("file"), hash_of(content));
}

TEST_F(ContentHashTest, OfAnUploadThatBeginsAgain) {
  const auto handle = create("file");
  write_all(*handle, noise(300 * kib, 1));
  cut("file");
  handle->set_attributes({.size = 0}).get();
  const std::string content = noise(200 * kib, 2);
  write_all(*handle, content.substr(0, 80 * kib));
  cut("file");
  write_all(*handle, content.substr(80 * kib), 80 * kib);
  handle->close().get();
  EXPECT_EQ(recorded("file"), hash_of(content));
}

TEST_F(ContentHashTest, OfNoOtherContentThanWhatIsThere) {
  const std::string content = upload_in_pieces("edited");
  const auto editing = open_editing("edited");
  write(*editing, 120 * kib, "in the middle");
  editing->close().get();
  EXPECT_EQ(recorded("edited"), "");

  const auto cut_short = create("cut short");
  write_all(*cut_short, content.substr(0, 300 * kib));
  cut("cut short");
  write_all(*cut_short, content.substr(300 * kib, 100 * kib), 300 * kib);
  cut("cut short");
  cut_short->set_attributes({.size = 350 * kib}).get();
  cut_short->close().get();
  EXPECT_EQ(recorded("cut short"), "");

  const auto overwritten = create("overwritten");
  write_all(*overwritten, content.substr(0, 300 * kib));
  cut("overwritten");
  write(*overwritten, 10, "other");
  write_all(*overwritten, content.substr(300 * kib, 100 * kib), 300 * kib);
  overwritten->close().get();
  EXPECT_EQ(recorded("overwritten"), "");
}

TEST_F(ContentHashTest, GoesWithWhatIsJoinedByCopies) {
  const std::string content = upload_in_pieces("file");
  drain();
  text("UPDATE nodes SET mtime = now() - interval '1 day', ctime = now() - interval '1 day'");
  ASSERT_EQ(files->flatten(std::chrono::seconds{0}, 10, {}), 1);
  EXPECT_EQ(extents("file"), 1);
  EXPECT_EQ(text("SELECT encode(o.sha256, 'hex') FROM objects o JOIN extents e ON"
                 " e.account_id = o.account_id AND e.object_id = o.id JOIN nodes n ON"
                 " n.account_id = e.account_id AND n.version_id = e.version_id"),
            hash_of(content));
  EXPECT_EQ(read_elsewhere("file"), content);
}

}  // namespace
}  // namespace sftpd::vfs
