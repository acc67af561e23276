#include "sftpd/admin/fsck/store_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "metadata/repositories/objects.h"

namespace sftpd::admin::fsck {
namespace {

std::set<std::string> known_of(metadata::Database& database,
                               const std::vector<storage::ListedObject>& objects) {
  std::vector<std::string> keys;
  keys.reserve(objects.size());
  for (const auto& object : objects) keys.push_back(object.key.text);
  const auto known = database.query(
      [&](metadata::Transaction& tx) { return metadata::Objects(tx).known_keys(keys); });
  return {known.begin(), known.end()};
}

bool is_there(storage::Future<std::optional<storage::ObjectInfo>>& answer) {
  try {
    return answer.get().has_value();
  } catch (const storage::Error&) {
    return true;  // It was listed.
  }
}

/// Without those that the collector deleted since they were listed.
std::vector<storage::ListedObject> still_there(storage::ObjectStore& store,
                                               const std::vector<storage::ListedObject>& listed) {
  constexpr std::size_t requests_max = 32;
  std::vector<storage::ListedObject> there;
  for (std::size_t begin = 0; begin < listed.size(); begin += requests_max) {
    const std::size_t end = std::min(begin + requests_max, listed.size());
    std::vector<storage::Future<std::optional<storage::ObjectInfo>>> answers;
    for (std::size_t i = begin; i < end; ++i) answers.push_back(store.head(listed[i].key));
    for (std::size_t i = begin; i < end; ++i) {
      if (is_there(answers[i - begin])) there.push_back(listed[i]);
    }
  }
  return there;
}

}  // namespace

std::vector<storage::ObjectKey> find_unknown(metadata::Database& database,
                                             storage::ObjectStore& store, const std::string& prefix,
                                             std::chrono::seconds age, Report& report) {
  constexpr std::size_t old_max = 100'000;
  const auto limit = std::chrono::system_clock::now() - age;
  std::vector<storage::ObjectKey> old;
  std::string next;
  do {
    const storage::ListPage page = store.list(prefix.empty() ? "v1/" : prefix + "/v1/", next).get();
    const auto known = known_of(database, page.objects);
    std::vector<storage::ListedObject> unknown;
    for (const auto& object : page.objects) {
      if (!known.contains(object.key.text)) unknown.push_back(object);
    }
    for (const auto& object : still_there(store, unknown)) {
      report.add(Kind::key_unknown,
                 fmt::format("unknown object {} of {} bytes", object.key.text, object.size_bytes));
      if (object.modified < limit && old.size() < old_max) old.push_back(object.key);
    }
    next = page.next;
  } while (!next.empty());
  return old;
}

}  // namespace sftpd::admin::fsck
