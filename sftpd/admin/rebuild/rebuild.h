#pragma once

#include <string>

#include "sftpd/admin/context.h"

namespace sftpd::admin::rebuild {

/// Makes an empty database what the one was that is lost: from an export (see choose_export() for
/// `wanted`), and from the objects that were stored after it. Prints what it did; what could be
/// given to nobody is unknown to fsck, too. Throws Failure, metadata::Error, storage::Error: then
/// nothing was changed.
void rebuild(Context& context, const std::string& wanted);

}  // namespace sftpd::admin::rebuild
