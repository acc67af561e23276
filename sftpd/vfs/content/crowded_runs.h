#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sftpd/vfs/content/content.h"

namespace sftpd::vfs {

struct JoinLimits {
  std::size_t count_wanted = 0;  ///< so many pieces may be left, holes not counted
  std::uint64_t bytes_max = 0;   ///< to be written again, in all
  std::uint64_t piece_max = 0;   ///< longer ones stay as they are
};

/// Runs of neighbours that should become one piece each, so that of `pieces` (in order, with Zeros
/// for holes) no more than wanted are left: the shortest first, so that the fewest bytes are
/// written again. Only Stored, Inline and Zeros are joined; no run begins or ends with a hole. A
/// pure function.
std::vector<std::vector<Piece>> crowded_runs(const std::vector<Piece>& pieces,
                                             const JoinLimits& limits);

}  // namespace sftpd::vfs
