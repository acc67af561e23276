#include "tests/model/reference.h"

#include <algorithm>

namespace model {

namespace {

std::string range_of(const std::string& content, std::uint64_t offset, std::uint64_t length) {
  return offset >= content.size() ? std::string() : content.substr(offset, length);
}

}  // namespace

void File::commit() {
  if (has_name) committed = live;
  failed = false;
  has_copies = has_copies && !has_name;
  may_contain.clear();
}

void File::fail() {
  failed = true;
  may_contain.insert(committed);
  may_contain.insert(live);
}

void File::write(std::uint64_t offset, const std::string& bytes) {
  if (bytes.empty()) return;
  if (live.size() < offset + bytes.size()) live.resize(offset + bytes.size(), '\0');
  live.replace(offset, bytes.size(), bytes);
}

void File::copy(const std::string& source, std::uint64_t offset, std::uint64_t length,
                std::uint64_t target_offset) {
  if (offset >= source.size()) return;
  has_copies = true;
  const std::uint64_t rest = source.size() - offset;
  write(target_offset, source.substr(offset, length == 0 ? rest : std::min(length, rest)));
}

std::string File::range(std::uint64_t offset, std::uint64_t length) const {
  return range_of(live, offset, length);
}

bool File::may_have(std::uint64_t offset, std::uint64_t length, const std::string& bytes) const {
  return std::any_of(may_contain.begin(), may_contain.end(), [&](const std::string& content) {
    return range_of(content, offset, length) == bytes;
  });
}

}  // namespace model
