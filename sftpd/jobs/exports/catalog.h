#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "sftpd/jobs/exports/manifest.h"
#include "storage/object_store.h"

namespace sftpd::jobs {

/// An export in the store, or what is left of one.
struct StoredExport {
  std::string directory;  ///< how its keys begin, without the last slash
  bool has_manifest = false;
  std::vector<storage::ObjectKey> files;  ///< all but the manifest

  storage::ObjectKey manifest() const { return {directory + "/manifest"}; }
  /// The last word of its directory, which begins with the time.
  std::string name() const;
  /// Nothing if its name is not one of ours.
  std::optional<std::chrono::system_clock::time_point> begun() const;
};

/// A new name: when, to the millisecond, so that names sort, and what makes it unique.
std::string new_export_name(std::chrono::system_clock::time_point now);
/// Where exports are: "{prefix}/metadata/". Objects are elsewhere, so neither fsck nor the
/// collector sees them.
std::string exports_directory(const std::string& key_prefix);

/// All that are there, the oldest first. Throws storage::Error.
std::vector<StoredExport> list_exports(storage::ObjectStore& store, const std::string& key_prefix);

/// Throws std::runtime_error if it is damaged, storage::Error.
Manifest read_manifest(storage::ObjectStore& store, const StoredExport& from);

/// Deletes it, its manifest first: what remains after a failure is not an export any more.
void remove_export(storage::ObjectStore& store, const StoredExport& which);

}  // namespace sftpd::jobs
