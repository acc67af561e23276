#include "storage/local/object_metadata.h"

#include <utility>

namespace storage::local {
namespace {

// Cuts `text` at the first `separator`: what stood before it, and the rest stays in `text`.
std::string_view take_until(std::string_view& text, char separator) {
  const auto end = text.find(separator);
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return taken;
}

}  // namespace

std::string ObjectMetadata::encode() const {
  std::string text = "key " + key + "\netag " + etag.text + "\ntype " + content_type + "\n";
  for (const auto& [name, value] : user_metadata) text += "user " + name + " " + value + "\n";
  return text;
}

ObjectMetadata ObjectMetadata::decode(std::string_view text) {
  ObjectMetadata metadata;
  while (!text.empty()) {
    std::string_view value = take_until(text, '\n');
    const std::string_view field = take_until(value, ' ');
    if (field == "key") {
      metadata.key = value;
    } else if (field == "etag") {
      metadata.etag.text = value;
    } else if (field == "type") {
      metadata.content_type = value;
    } else if (field == "user") {
      const std::string name(take_until(value, ' '));
      metadata.user_metadata.emplace(name, value);
    }
  }
  return metadata;
}

ETag random_etag() {
  const std::string name = random_object_key("").text;
  return {name.substr(name.rfind('/') + 1)};
}

}  // namespace storage::local
