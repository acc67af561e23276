#include "sftpd/admin/rebuild/export_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sftpd/admin/context.h"
#include "sftpd/jobs/exports/gzip.h"
#include "tests/support/memory_object_store.h"

namespace sftpd::admin::rebuild {
namespace {

using testing::HasSubstr;

constexpr std::size_t mib = 1 << 20;

/// An export of one file of nodes, which unpacks to `text`.
class ExportFiles : public testing::Test {
 protected:
  ChosenExport export_of(const std::string& text, std::uint64_t rows) {
    jobs::GzipWriter gzip;
    gzip.add(text);
    const storage::Payload file(gzip.finish());
    storage::PutOptions options;
    options.user_metadata["oid"] = "nodes";
    store_.put({"metadata/now/nodes"}, file, options).get();
    ChosenExport chosen;
    chosen.stored.directory = "metadata/now";
    chosen.manifest.files = {{"nodes", "nodes", rows, file.size(), ""}};
    return chosen;
  }

  void read(const ChosenExport& chosen) {
    read_rows(store_, chosen, [this](const std::string& table, std::string_view rows) {
      EXPECT_EQ(table, "nodes");
      arrays_.emplace_back(rows);
    });
  }

  test_support::MemoryObjectStore store_;
  std::vector<std::string> arrays_;
};

TEST_F(ExportFiles, RowsComeAsArrays) {
  read(export_of("{\"id\":1}\n{\"id\":2}\n", 2));
  EXPECT_THAT(arrays_, testing::ElementsAre("[{\"id\":1},{\"id\":2}]"));
}

/// 16 MiB of inline bytes are twice as many digits.
TEST_F(ExportFiles, TheLongestRowOfAServerIsRead) {
  const std::string row(33 * mib, '7');
  read(export_of("1\n" + row + "\n", 2));
  ASSERT_EQ(arrays_.size(), 1U);
  EXPECT_EQ(arrays_[0].size(), row.size() + 4);
}

TEST_F(ExportFiles, ARowIsBoundedWhateverItUnpacksTo) {
  const ChosenExport chosen = export_of(std::string(100 * mib, '7') + "\n", 1);
  ASSERT_LT(chosen.manifest.files[0].size_bytes, mib) << "it is small in the store";
  try {
    read(chosen);
    ADD_FAILURE() << "read";
  } catch (const Failure& failure) {
    EXPECT_THAT(failure.what(), HasSubstr("a row of nodes without an end"));
  }
  EXPECT_EQ(arrays_.size(), 0U);
}

}  // namespace
}  // namespace sftpd::admin::rebuild
