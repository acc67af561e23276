#pragma once

#include "metadata/database.h"
#include "sftpd/admin/fsck/report.h"
#include "storage/object_store.h"

namespace sftpd::admin::fsck {

/// Reports rows that contradict each other.
void check_rows(metadata::Database& database, Report& report);

struct ObjectQuestions {
  bool read_contents = false;
  bool repair = false;
};

/// Asks the store for every live object: is it there, with the right size; with `read_contents`
/// also whether its bytes have the checksum that was noted, which `repair` remembers; without, what
/// a reader found damaged is reported. Objects that are being uploaded or are to be deleted count
/// as waiting when their process is gone.
void check_objects(metadata::Database& database, storage::ObjectStore& store,
                   ObjectQuestions questions, Report& report);

}  // namespace sftpd::admin::fsck
