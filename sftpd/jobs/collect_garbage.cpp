#include "sftpd/jobs/collect_garbage.h"

#include <vector>

#include "metadata/repositories/objects.h"
#include "sftpd/log/log.h"

namespace sftpd::jobs {
namespace {

/// Each step is asked of the store for the whole batch before the first answer is waited for.
template <class Ask>
auto ask_all(const std::vector<metadata::ObjectRow>& rows, Ask ask) {
  std::vector<decltype(ask(storage::ObjectKey{}))> answers;
  answers.reserve(rows.size());
  for (const auto& row : rows) answers.push_back(ask(storage::ObjectKey{row.key}));
  return answers;
}

/// Calls `take(row, answer)` for each; returns the rows for which it returned true without
/// throwing.
template <class Answers, class Take>
std::vector<metadata::ObjectRow> keep_successful(const std::vector<metadata::ObjectRow>& rows,
                                                 Answers answers, Take take) {
  std::vector<metadata::ObjectRow> kept;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    try {
      if (take(rows[i], answers[i])) kept.push_back(rows[i]);
    } catch (const storage::Error& failure) {
      log::warning("object not deleted yet", {{"key", rows[i].key}, {"reason", failure.what()}});
    }
  }
  return kept;
}

void abort_uploads(storage::ObjectStore& store, const metadata::ObjectRow& row,
                   std::vector<storage::UploadId> uploads) {
  const storage::ObjectKey key{row.key};
  if (!row.upload.empty()) uploads.push_back({row.upload});
  for (const storage::UploadId& upload : uploads) store.abort_upload(key, upload).get();
}

}  // namespace

Progress collect_garbage(metadata::Database& database, storage::ObjectStore& store,
                         const CollectOptions& options, const std::stop_token& stop) {
  if (stop.stop_requested()) return {};
  auto rows = database.transact([&](metadata::Transaction& tx) {
    return metadata::Objects(tx).claim_for_deletion(options.keep_dead, options.grace,
                                                    options.batch_max);
  });
  const bool full = static_cast<int>(rows.size()) >= options.batch_max;
  const std::size_t claimed = rows.size();

  auto uploads = ask_all(rows, [&](const auto& key) { return store.list_uploads(key); });
  rows = keep_successful(rows, std::move(uploads), [&](const auto& row, auto& answer) {
    abort_uploads(store, row, answer.get());
    return true;
  });
  auto removals = ask_all(rows, [&](const auto& key) { return store.remove(key); });
  rows = keep_successful(rows, std::move(removals), [](const auto&, auto& answer) {
    answer.get();
    return true;
  });
  auto heads = ask_all(rows, [&](const auto& key) { return store.head(key); });
  rows = keep_successful(rows, std::move(heads),
                         [](const auto&, auto& answer) { return !answer.get().has_value(); });

  if (!rows.empty()) {
    database.transact([&](metadata::Transaction& tx) { metadata::Objects(tx).mark_gone(rows); });
  }
  // After a failure the rest waits for the next interval, lest a broken store is asked in a circle.
  return {.done = static_cast<int>(rows.size()),
          .more = full && rows.size() == claimed,
          .failed = static_cast<int>(claimed - rows.size())};
}

}  // namespace sftpd::jobs
