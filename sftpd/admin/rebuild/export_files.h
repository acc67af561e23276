#pragma once

#include <functional>
#include <string>

#include "sftpd/admin/rebuild/export_choice.h"
#include "storage/object_store.h"

namespace sftpd::admin::rebuild {

/// Reads all files of the export and compares them with its manifest. Throws Failure if one is
/// missing or is not what was written.
void verify_files(storage::ObjectStore& store, const ChosenExport& chosen);

/// Takes rows as a JSON array of at most a MiB, or one row.
using TakeRows = std::function<void(const std::string& table, std::string_view rows)>;

/// Reads all files again, for their rows. Throws Failure as above.
void read_rows(storage::ObjectStore& store, const ChosenExport& chosen, const TakeRows& take);

}  // namespace sftpd::admin::rebuild
