#include "sftpd/jobs/exports/catalog.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <map>
#include <random>

namespace sftpd::jobs {
namespace {

constexpr char time_format[] = "%Y%m%dT%H%M%S";
// A file is 16 MiB, so that this is a dump of terabytes.
constexpr std::uint64_t manifest_size_max = 64ULL << 20;

}  // namespace

std::string StoredExport::name() const { return directory.substr(directory.rfind('/') + 1); }

std::optional<std::chrono::system_clock::time_point> StoredExport::begun() const {
  std::tm parts{};
  const std::string text = name();
  const char* end = ::strptime(text.c_str(), time_format, &parts);
  if (end == nullptr || *end != '.') return std::nullopt;
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string new_export_name(std::chrono::system_clock::time_point now) {
  const auto since = std::chrono::floor<std::chrono::milliseconds>(now).time_since_epoch();
  std::random_device random;
  return fmt::format("{:%Y%m%dT%H%M%S}.{:03}Z-{:08x}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(now)), since.count() % 1000,
                     random());
}

std::string exports_directory(const std::string& key_prefix) {
  return key_prefix.empty() ? "metadata/" : key_prefix + "/metadata/";
}

std::vector<StoredExport> list_exports(storage::ObjectStore& store, const std::string& key_prefix) {
  std::map<std::string, StoredExport> found;
  std::string next;
  do {
    const storage::ListPage page = store.list(exports_directory(key_prefix), next).get();
    for (const auto& object : page.objects) {
      const std::string directory = object.key.text.substr(0, object.key.text.rfind('/'));
      StoredExport& one = found[directory];
      one.directory = directory;
      if (object.key == one.manifest()) {
        one.has_manifest = true;
      } else {
        one.files.push_back(object.key);
      }
    }
    next = page.next;
  } while (!next.empty());
  std::vector<StoredExport> exports;
  exports.reserve(found.size());
  for (auto& [directory, one] : found) exports.push_back(std::move(one));
  return exports;
}

Manifest read_manifest(storage::ObjectStore& store, const StoredExport& from) {
  const auto text = store.get(from.manifest(), {0, manifest_size_max}).get();
  return Manifest::parse(std::string(text.text()));
}

void remove_export(storage::ObjectStore& store, const StoredExport& which) {
  store.remove(which.manifest()).get();
  for (const storage::ObjectKey& file : which.files) store.remove(file).get();
}

}  // namespace sftpd::jobs
