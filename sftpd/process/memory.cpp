#include "sftpd/process/memory.h"

#include <malloc.h>

namespace sftpd::process {

void return_memory_early() {
  // Setting the threshold also ends its growth with each large block that is freed.
  ::mallopt(M_MMAP_THRESHOLD, 512 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
  ::mallopt(M_ARENA_MAX, 4);
}

}  // namespace sftpd::process
