#pragma once

#include <string>

#include "metadata/ids.h"
#include "sftpd/vfs/writing/object_reserve.h"
#include "storage/object_store.h"

namespace sftpd::vfs {

/// What an object says about itself, so that a bucket can be read without its database: its type
/// (`mime`; empty: not known), whose it is, of which node, and when it was made (UTC, ISO 8601).
storage::PutOptions labels_of(const ReservedObject& object, metadata::AccountId account,
                              metadata::NodeId node, const std::string& mime);

}  // namespace sftpd::vfs
