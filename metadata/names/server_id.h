#pragma once

#include <cstdint>

namespace metadata {

/// A process that serves, as the locks of its sessions show it to others.
struct ServerId {
  std::int32_t value = 0;  ///< above 0
  bool operator==(const ServerId&) const = default;
  static ServerId random();
};

}  // namespace metadata
