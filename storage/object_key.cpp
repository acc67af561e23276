#include "storage/object_key.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "storage/error.h"

namespace storage {
namespace {

constexpr std::size_t key_size_max = 1024;       // S3's limit
constexpr std::size_t component_size_max = 255;  // of file systems, and of MinIO above them

bool is_valid_component(std::string_view component) {
  return !component.empty() && component != "." && component != ".." &&
         component.size() <= component_size_max;
}

}  // namespace

ObjectKey random_object_key(const std::string& prefix) {
  std::array<unsigned char, 16> random;
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    throw Error(ErrorCode::unavailable, "the system gives no random bytes");
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string name;
  for (const unsigned char byte : random) {
    name += digits[byte >> 4];
    name += digits[byte & 15];
  }
  // The two digits spread the keys over 256 of a store's partitions or directories.
  const std::string start = prefix.empty() ? "" : prefix + "/";
  return {start + "v1/" + name.substr(0, 2) + "/" + name};
}

bool is_valid(const ObjectKey& key) {
  const std::string_view text = key.text;
  if (text.empty() || text.size() > key_size_max) return false;
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; })) {
    return false;
  }
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find('/', start), text.size());
    if (!is_valid_component(text.substr(start, end - start))) return false;
    start = end + 1;
  }
  return true;
}

}  // namespace storage
