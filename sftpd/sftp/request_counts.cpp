#include "sftpd/sftp/request_counts.h"

#include <algorithm>

#include "sftpd/sftp/operations.h"

namespace sftpd::sftp {

RequestCounts::RequestCounts()
    : size_(operations().size() + extensions().size() + 1),
      operations_(std::make_unique<OfOperation[]>(size_)) {
  OfOperation* next = operations_.get();
  for (const Operation& operation : operations()) (next++)->name = operation.name;
  for (const Extension& extension : extensions()) (next++)->name = extension.name;
  next->name = "unknown";
}

RequestCounts::OfOperation& RequestCounts::of(std::string_view name) {
  const std::span<OfOperation> all(operations_.get(), size_);
  const auto found = std::ranges::find(all, name, &OfOperation::name);
  return found == all.end() ? all.back() : *found;
}

}  // namespace sftpd::sftp
