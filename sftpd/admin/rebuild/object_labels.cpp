#include "sftpd/admin/rebuild/object_labels.h"

#include <charconv>
#include <ctime>

namespace sftpd::admin::rebuild {
namespace {

using Labels = std::map<std::string, std::string>;

constexpr std::size_t created_size = std::string_view("2026-01-31T23:59:59Z").size();

template <class Number>
std::optional<Number> number_of(std::string_view text, int base = 10) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// 0, which is nobody's, if there is none.
std::int64_t id_of(const Labels& labels, const char* name) {
  const auto found = labels.find(name);
  if (found == labels.end()) return 0;
  return std::max<std::int64_t>(0, number_of<std::int64_t>(found->second).value_or(0));
}

bool read_created(const Labels& labels, ObjectLabels& into) {
  const auto found = labels.find("created");
  if (found == labels.end()) return false;
  std::tm parts{};
  const char* end = ::strptime(found->second.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  // It becomes part of a name, and strptime() passes over any number of spaces.
  if (end == nullptr || *end != '\0' || found->second.size() != created_size) return false;
  into.created = metadata::Time{std::chrono::seconds{::timegm(&parts)}};
  for (const char c : found->second) {
    if (c != ':') into.created_text += c;
  }
  return true;
}

std::optional<metadata::Sha256> hash_of(const Labels& labels) {
  const auto found = labels.find("sha256");
  metadata::Sha256 sha256{};
  if (found == labels.end() || found->second.size() != 2 * sha256.size()) return std::nullopt;
  for (std::size_t i = 0; i < sha256.size(); ++i) {
    const auto byte =
        number_of<unsigned char>(std::string_view(found->second).substr(2 * i, 2), 16);
    if (!byte) return std::nullopt;
    sha256[i] = static_cast<std::byte>(*byte);
  }
  return sha256;
}

}  // namespace

std::optional<ObjectLabels> read_labels(const storage::ObjectInfo& info) {
  const Labels& labels = info.user_metadata;
  ObjectLabels read;
  read.account = {id_of(labels, "account")};
  read.node = {id_of(labels, "node")};
  read.object = {id_of(labels, "oid")};
  read.sha256 = hash_of(labels);
  if (read.account.value == 0 || read.object.value == 0 || !read_created(labels, read)) {
    return std::nullopt;
  }
  return read;
}

}  // namespace sftpd::admin::rebuild
