#pragma once

#include <string>

#include "sftpd/jobs/exports/catalog.h"
#include "storage/object_store.h"

namespace sftpd::admin::rebuild {

struct ChosenExport {
  jobs::StoredExport stored;
  jobs::Manifest manifest;
};

/// The export that `wanted` names, by its name, directory or manifest; if that is empty, the newest
/// one with a manifest. Throws Failure: there is none, it is damaged, this program is too old for
/// it, or there are exports of several databases, so that a person must choose.
ChosenExport choose_export(storage::ObjectStore& store, const std::string& key_prefix,
                           const std::string& wanted);

}  // namespace sftpd::admin::rebuild
