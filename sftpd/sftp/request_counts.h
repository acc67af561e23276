#pragma once

#include <array>
#include <memory>
#include <span>
#include <string_view>

#include "sftpd/counters.h"

namespace sftpd::sftp {

/// How a request ended.
enum class Outcome {
  ok,       ///< end of file is one of the answers that clients ask for
  refused,  ///< the client's own doing: no such file, no permission, no quota left
  failed,   ///< ours: store, database, damaged content
};
inline constexpr std::array<std::string_view, 3> outcome_names{"ok", "refused", "failed"};

/// What happens in all SFTP sessions of the process, for metrics. Safe from any thread.
class RequestCounts {
 public:
  /// One for each name in the tables of operations and extensions, and one for all others.
  RequestCounts();

  struct OfOperation {
    std::string_view name;
    std::array<Counter, outcome_names.size()> by_outcome;
    Latencies latencies;  ///< from the request's arrival to its answer
  };
  /// "unknown" has what has no name in the tables.
  OfOperation& of(std::string_view name);
  std::span<const OfOperation> all() const { return {operations_.get(), size_}; }

  Gauge sessions;
  Counter uploaded_bytes;  ///< of WRITE
  Counter downloaded_bytes;

 private:
  std::size_t size_;
  std::unique_ptr<OfOperation[]> operations_;
};

}  // namespace sftpd::sftp
