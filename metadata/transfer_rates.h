#pragma once

#include <cstdint>
#include <optional>

namespace metadata {

/// How fast one user's bytes may move, all connections together, in bytes per second. 0: without a
/// limit; nothing: as the server's settings say.
struct TransferRates {
  static constexpr std::uint64_t least = 1024;  ///< of limits; less would only look like a hang

  std::optional<std::uint64_t> upload_max;
  std::optional<std::uint64_t> download_max;
  bool operator==(const TransferRates&) const = default;
};

}  // namespace metadata
