#pragma once

#include "metadata/ids.h"
#include "metadata/repositories/nodes.h"
#include "sftpd/vfs/attributes.h"

namespace sftpd::vfs {

metadata::Time now();
metadata::Time from_seconds(std::int64_t seconds);
std::int64_t to_seconds(metadata::Time time);

/// A row as a client sees it.
Attributes attributes_of(const metadata::Node& node);

/// What a client's setstat changes in the row; its own uid and gid and 0xFFFFFFFF change nothing.
/// Throws permission_denied for others.
metadata::NodeChanges row_changes(const metadata::Node& node, const AttributeChanges& changes);

}  // namespace sftpd::vfs
