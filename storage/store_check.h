#pragma once

#include <string>
#include <vector>

#include "storage/object_store.h"

namespace storage {

/// One thing tried on a store, in words for an administrator.
struct CheckStep {
  std::string name;  ///< "put an object"
  bool ok = false;
  std::string message;  ///< why not, and what to look at; empty where ok
};

/// Tries on `store` what Shoebox needs: put, look, read, read a range, list, multipart with a
/// copied part (where the store copies), finding and aborting an unfinished upload, delete. Uses
/// keys below `prefix` and removes them. Blocks until done, at most as long as the store's retries
/// take for each step; does not throw. A step that depends on one that failed is left out.
std::vector<CheckStep> check_store(ObjectStore& store, const std::string& prefix);

}  // namespace storage
