#include "tests/model/reference.h"

#include <algorithm>

namespace model {

void File::commit() {
  committed = live;
  failed = false;
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
  const std::uint64_t rest = source.size() - offset;
  write(target_offset, source.substr(offset, length == 0 ? rest : std::min(length, rest)));
}

std::string File::range(std::uint64_t offset, std::uint64_t length) const {
  return offset >= live.size() ? std::string() : live.substr(offset, length);
}

}  // namespace model
