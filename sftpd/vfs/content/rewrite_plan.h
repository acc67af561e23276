#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sftpd/vfs/content/content.h"
#include "storage/object_store.h"

namespace sftpd::vfs {

/// One part of a multipart upload that makes one object of many pieces.
struct RewritePart {
  int number = 1;
  std::uint64_t offset = 0;  ///< in the new object
  std::uint64_t length = 0;
  bool copied = false;        ///< by the store: there is one piece then, and it is Stored
  std::vector<Piece> pieces;  ///< what it consists of; else to be read and sent. Without gaps.
};

struct RewriteSizes {
  std::uint64_t part_size = std::uint64_t{16} << 20;  ///< of parts that are sent
  std::uint64_t sent_max = std::uint64_t{128} << 20;  ///< each is in memory as a whole
};

/// How to make one object of `pieces`, which follow each other without a gap (Zeros for holes) and
/// name no Scratch or Streamed bytes. Large runs of stored objects are copied by the store; what is
/// between them is sent, with as much of its neighbours as the smallest part needs. A pure
/// function.
///
/// A single part that is sent may be put as a whole. Nothing if the store's limits or `sent_max` do
/// not allow it: a file of many terabytes, or of tens of thousands of pieces.
std::optional<std::vector<RewritePart>> plan_rewrite(const std::vector<Piece>& pieces,
                                                     const storage::Limits& limits,
                                                     const RewriteSizes& sizes);

}  // namespace sftpd::vfs
