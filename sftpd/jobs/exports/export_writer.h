#pragma once

#include <string>
#include <string_view>

#include "sftpd/jobs/exports/gzip.h"
#include "sftpd/jobs/exports/manifest.h"
#include "storage/object_store.h"

namespace sftpd::jobs {

/// Writes the files of one export, and then its manifest. Used by one thread; keeps one file in
/// memory. Throws storage::Error.
class ExportWriter {
 public:
  /// Keys begin with `directory` and a slash.
  ExportWriter(storage::ObjectStore& store, std::string directory, std::uint64_t file_size_max)
      : store_(store), directory_(std::move(directory)), file_size_max_(file_size_max) {}

  /// A row of `table`, without the end of its line.
  void add(const std::string& table, std::string_view row);
  /// Stores what is left, and the manifest with the files that were written.
  void finish(Manifest& manifest);

 private:
  void store_file();
  void put(const std::string& name, storage::Payload body, std::string type);

  storage::ObjectStore& store_;
  const std::string directory_;
  const std::uint64_t file_size_max_;
  GzipWriter file_;
  ExportedFile current_;
  std::vector<ExportedFile> files_;
};

}  // namespace sftpd::jobs
