#pragma once

#include <optional>
#include <string>

#include "metadata/ids.h"
#include "metadata/repositories/versions.h"
#include "storage/object_store.h"

namespace sftpd::admin::rebuild {

/// What an object says about itself; see vfs::labels_of(), which wrote it.
struct ObjectLabels {
  metadata::AccountId account;
  metadata::NodeId node;
  metadata::ObjectId object;
  metadata::Time created;
  std::string created_text;  ///< without colons, which some clients do not want in names
  std::optional<metadata::Sha256> sha256;
};

/// Nothing if it says too little, or nonsense: then Shoebox did not write it.
std::optional<ObjectLabels> read_labels(const storage::ObjectInfo& info);

}  // namespace sftpd::admin::rebuild
