#pragma once

#include <array>
#include <string>
#include <string_view>

#include "metadata/observer.h"
#include "sftpd/counters.h"
#include "storage/observer.h"

namespace sftpd::metrics {

/// Counts what the object store tells, and passes it on. As thread-safe as `next`.
class StoreCounts final : public storage::Observer {
 public:
  /// `next` must outlive it.
  explicit StoreCounts(storage::Observer& next) : next_(next) {}

  void call_finished(const storage::FinishedCall& call) noexcept override;
  void call_retried(const storage::RetriedCall& call) noexcept override;

  /// Of HTTP answers: 2xx, 3xx and so on; none where none came, and from a local directory.
  static constexpr std::array<std::string_view, 5> status_names{"none", "2xx", "3xx", "4xx", "5xx"};
  using ByStatus = std::array<Counter, status_names.size()>;
  struct OfOperation {
    ByStatus finished;
    ByStatus retried;
    Counter failed;
    Latencies latencies;  ///< of all attempts and the waits between them
  };

  /// S3's names of what a store may be asked; "other" comes last.
  static constexpr std::array<std::string_view, 13> operation_names{"AbortMultipartUpload",
                                                                    "CompleteMultipartUpload",
                                                                    "CreateMultipartUpload",
                                                                    "DeleteObject",
                                                                    "GetObject",
                                                                    "HeadObject",
                                                                    "ListMultipartUploads",
                                                                    "ListObjectsV2",
                                                                    "ListParts",
                                                                    "PutObject",
                                                                    "UploadPart",
                                                                    "UploadPartCopy",
                                                                    "other"};
  const OfOperation& of(std::size_t operation) const { return operations_[operation]; }

  Counter sent_bytes;
  Counter received_bytes;

 private:
  OfOperation& of(std::string_view operation);

  storage::Observer& next_;
  std::array<OfOperation, operation_names.size()> operations_;
};

/// The same for the database.
class DatabaseCounts final : public metadata::Observer {
 public:
  explicit DatabaseCounts(metadata::Observer& next) : next_(next) {}

  void database_connected() override;
  void database_lost(const std::string& reason) override;
  void transaction_retried(const std::string& reason) override;
  void serving_alone(bool alone) override;
  void migration_applied(const std::string& name) override;

  Counter connected;
  Counter lost;
  Counter retried;

 private:
  metadata::Observer& next_;
};

}  // namespace sftpd::metrics
