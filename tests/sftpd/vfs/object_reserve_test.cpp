#include "sftpd/vfs/writing/object_reserve.h"

#include <chrono>
#include <thread>

#include "tests/sftpd/vfs/vfs_fixture.h"

namespace sftpd::vfs {
namespace {

class ObjectReserveTest : public VfsTest {
 protected:
  std::string state_of(metadata::ObjectId id) {
    return text("SELECT state FROM objects WHERE id = " + std::to_string(id.value));
  }
  bool becomes_dead(metadata::ObjectId id) {
    for (int attempt = 0; attempt < 100 && state_of(id) != "dead"; ++attempt) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return state_of(id) == "dead";
  }

  ObjectReserve reserve{scratch.database(), "objects/", std::chrono::seconds{600}};
};

TEST_F(ObjectReserveTest, WhatIsGivenUpIsSaidAgainUntilTheDatabaseHearsIt) {
  const auto object = reserve.take(identity.account);
  text("ALTER TABLE objects RENAME TO objects_away");
  reserve.discard(identity.account, object.id);
  text("ALTER TABLE objects_away RENAME TO objects");
  EXPECT_TRUE(state_of(object.id) == "dead" || reserve.holds(identity.account, object.id))
      << "no job of this process may publish it";
  EXPECT_TRUE(becomes_dead(object.id));
}

}  // namespace
}  // namespace sftpd::vfs
