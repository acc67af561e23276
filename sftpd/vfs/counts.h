#pragma once

#include "sftpd/counters.h"

namespace sftpd::vfs {

/// What the file system counts, for metrics.
struct Counts {
  Counter destaged_objects;
  Counter destaged_bytes;
  Counter destage_failures;
  Counter flattened_files;
  Counter flatten_failures;
  Counter damaged_objects;  ///< found: every time
};

/// What the cache of blocks read counts. A look-up is for one segment.
struct CacheCounts {
  Counter memory_hits;  ///< there, or on its way already
  Counter disk_hits;
  Counter misses;  ///< fetched from the store
  Counter disk_bytes;
  Counter store_bytes;
};

}  // namespace sftpd::vfs
