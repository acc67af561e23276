#include "sftpd/admin/fsck/report.h"

namespace sftpd::admin::fsck {

void Report::add(Kind kind, const std::string& line) {
  constexpr std::uint64_t lines_max = 1000;
  ++counts_[kind];
  if (kind == Kind::waiting || problems() > lines_max) return;
  print_(line);
  if (problems() == lines_max) print_("... and more, which are only counted");
}

std::uint64_t Report::count(Kind kind) const {
  const auto found = counts_.find(kind);
  return found == counts_.end() ? 0 : found->second;
}

std::uint64_t Report::problems() const {
  std::uint64_t sum = 0;
  for (const auto& [kind, count] : counts_) {
    if (kind != Kind::waiting) sum += count;
  }
  return sum;
}

}  // namespace sftpd::admin::fsck
