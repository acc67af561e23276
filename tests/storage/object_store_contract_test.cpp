#include "tests/contracts/object_store_contract.h"

#include "storage/local/local_object_store.h"
#include "tests/storage/scratch_directory.h"
#include "tests/support/failing_object_store.h"
#include "tests/support/memory_object_store.h"

namespace contracts {
namespace {

// A local store with the directory it stands in.
class ScratchLocalStore {
 public:
  explicit ScratchLocalStore(bool user_attributes)
      : store({.directory = directory.path(), .user_attributes = user_attributes}) {}

  test_support::ScratchDirectory directory;
  storage::local::LocalObjectStore store;
};

std::shared_ptr<ObjectStore> open_local(bool user_attributes) {
  auto scratch = std::make_shared<ScratchLocalStore>(user_attributes);
  return {scratch, &scratch->store};
}

// Without a fault it must be the store it wraps.
std::shared_ptr<ObjectStore> open_wrapped() {
  struct Wrapped {
    test_support::MemoryObjectStore memory;
    test_support::FailingObjectStore failing{memory};
  };
  auto wrapped = std::make_shared<Wrapped>();
  return {wrapped, &wrapped->failing};
}

INSTANTIATE_TEST_SUITE_P(
    InProcess, ObjectStoreContract,
    testing::Values(StoreUnderTest{"memory",
                                   [] {
                                     return std::make_shared<test_support::MemoryObjectStore>();
                                   }},
                    StoreUnderTest{"wrapped", open_wrapped},
                    StoreUnderTest{"local", [] { return open_local(true); }},
                    StoreUnderTest{"local_without_attributes", [] { return open_local(false); }}),
    name_of);

}  // namespace
}  // namespace contracts
