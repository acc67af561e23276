#include "sftpd/vfs/open_file/hashed_prefix.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <variant>

namespace sftpd::vfs {

std::optional<Sha256Hasher> HashedPrefix::up_to(std::uint64_t offset) const {
  if (offset == 0 || offset != end_) return {};
  return hash_;
}

void HashedPrefix::add(std::uint64_t offset, const WrittenObject& written) {
  if (offset == 0) {
    objects_.clear();
    end_ = 0;
  }
  if (offset != end_ || !written.hash) return;
  objects_.push_back(written.row.object);
  end_ += written.row.size;
  hash_ = written.hash;
}

/// Slices that begin their objects and are as long together as these are all of them.
std::optional<metadata::Sha256> HashedPrefix::hash_of(const std::vector<metadata::Extent>& extents,
                                                      std::uint64_t size) const {
  std::uint64_t end = 0;
  std::size_t at = 0;
  for (; at < std::min(objects_.size(), extents.size()); ++at) {
    const auto* slice = std::get_if<metadata::ObjectSlice>(&extents[at].source);
    if (!slice) break;
    if (slice->object != objects_[at] || slice->offset != 0 || extents[at].offset != end) return {};
    end += extents[at].length;
  }
  if (at > 0 && (at != objects_.size() || end != end_)) return {};
  Sha256Hasher hash = at > 0 ? *hash_ : Sha256Hasher();
  for (; at < extents.size(); ++at) {
    const auto* bytes = std::get_if<std::string>(&extents[at].source);
    if (!bytes || extents[at].offset != end) return {};
    hash.add(std::as_bytes(std::span(*bytes)));
    end += bytes->size();
  }
  if (end != size) return {};
  return hash.finish();
}

}  // namespace sftpd::vfs
