#include "sftpd/admin/fsck/database_scan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>
#include <vector>

#include "metadata/repositories/consistency.h"
#include "metadata/repositories/objects.h"
#include "sftpd/vfs/content/hash.h"

namespace sftpd::admin::fsck {
namespace {

using metadata::ObjectRow;
using metadata::Objects;
using metadata::Transaction;

constexpr int page_max = 500;
constexpr std::size_t requests_max = 32;

std::string sentence(const metadata::Contradiction& found) {
  using Kind = metadata::Contradiction::Kind;
  switch (found.kind) {
    case Kind::version_missing:
      return fmt::format("file {} has no content of its size", found.id);
    case Kind::extents_overlap:
      return fmt::format("version {} has extents that overlap or end after it", found.id);
    case Kind::extent_without_bytes:
      return fmt::format("version {} has an extent without stored bytes", found.id);
    case Kind::object_unused:
      return fmt::format("object {} is live, but nothing uses it", found.id);
    case Kind::usage_wrong:
      return "the counters of usage are not the sums of the files";
  }
  return {};
}

/// The row as it is now; nothing if it is no longer live. What a scan saw may be old.
bool still_live(metadata::Database& database, const ObjectRow& row) {
  const auto rows = database.query([&](Transaction& tx) {
    return Objects(tx).scan(row.account, metadata::ObjectId{row.id.value - 1}, 1);
  });
  return !rows.empty() && rows[0].id == row.id && rows[0].account == row.account &&
         rows[0].state == "live";
}

/// One scan of all objects.
class ObjectCheck {
 public:
  ObjectCheck(metadata::Database& database, storage::ObjectStore& store, ObjectQuestions questions,
              Report& report)
      : database_(database), store_(store), questions_(questions), report_(report) {}

  void check(const std::vector<ObjectRow>& rows) {
    std::vector<ObjectRow> live;
    for (const ObjectRow& row : rows) {
      if (row.state == "live") {
        live.push_back(row);
      } else {
        report_.add(Kind::waiting, row.key);
      }
    }
    for (std::size_t begin = 0; begin < live.size(); begin += requests_max) {
      check_at_once(std::span(live).subspan(begin, std::min(requests_max, live.size() - begin)));
    }
  }

 private:
  void check_at_once(std::span<const ObjectRow> rows) {
    std::vector<storage::Future<std::optional<storage::ObjectInfo>>> answers;
    for (const ObjectRow& row : rows) answers.push_back(store_.head({row.key}));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      report_.count_object();
      try {
        check_one(rows[i], answers[i].get());
      } catch (const storage::Error& error) {
        add(Kind::object_unreadable, rows[i],
            fmt::format("could not be asked for: {}", error.what()));
      }
    }
  }

  void check_one(const ObjectRow& row, const std::optional<storage::ObjectInfo>& info) {
    if (!info) return add(Kind::object_missing, row, "is missing");
    if (info->size_bytes != row.size) {
      return add(Kind::object_size, row,
                 fmt::format("has {} bytes instead of {}", info->size_bytes, row.size));
    }
    if (questions_.read_contents && row.sha256) return check_content(row);
    if (row.damaged) {
      add(Kind::object_damaged, row, "was damaged when it was read; --checksum reads it again");
    }
  }

  void check_content(const ObjectRow& row) {
    const bool damaged = hash_of(row) != *row.sha256;
    if (damaged) add(Kind::object_damaged, row, "does not have its checksum");
    if (!questions_.repair || damaged == row.damaged) return;
    database_.transact([&](Transaction& tx) {
      Objects objects(tx);
      damaged ? objects.mark_damaged(row.account, row.id) : objects.mark_sound(row.account, row.id);
    });
  }

  metadata::Sha256 hash_of(const ObjectRow& row) {
    constexpr std::uint64_t block_size = 8U << 20;
    vfs::Sha256Hasher hasher;
    for (std::uint64_t offset = 0; offset < row.size; offset += block_size) {
      const auto bytes = store_.get({row.key}, {offset, block_size}).get();
      hasher.add(bytes.bytes());
    }
    return hasher.finish();
  }

  void add(Kind kind, const ObjectRow& row, const std::string& what) {
    if (!still_live(database_, row)) return;
    constexpr int names_max = 5;
    const auto files = database_.query([&](Transaction& tx) {
      return metadata::Consistency(tx).files_using(row.account, row.id, names_max);
    });
    report_.add(kind, fmt::format("object {} (account {}) {}; needed by {}", row.key,
                                  row.account.value, what,
                                  files.empty() ? "older versions only"
                                                : fmt::format("{}", fmt::join(files, ", "))));
  }

  metadata::Database& database_;
  storage::ObjectStore& store_;
  const ObjectQuestions questions_;
  Report& report_;
};

}  // namespace

void check_rows(metadata::Database& database, Report& report) {
  const auto found =
      database.transact([](Transaction& tx) { return metadata::Consistency(tx).find(page_max); });
  for (const auto& one : found) {
    report.add(Kind::rows_contradict,
               fmt::format("account {}: {}", one.account.value, sentence(one)));
  }
}

void check_objects(metadata::Database& database, storage::ObjectStore& store,
                   ObjectQuestions questions, Report& report) {
  ObjectCheck check(database, store, questions, report);
  metadata::AccountId account;
  metadata::ObjectId object;
  while (true) {
    const auto rows = database.query(
        [&](Transaction& tx) { return Objects(tx).scan(account, object, page_max); });
    check.check(rows);
    if (static_cast<int>(rows.size()) < page_max) return;
    account = rows.back().account;
    object = rows.back().id;
  }
}

}  // namespace sftpd::admin::fsck
