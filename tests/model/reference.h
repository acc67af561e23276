#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace model {

/// What a file must contain.
struct File {
  std::string live;       ///< what its handles see
  std::string committed;  ///< what everybody else sees
  int writers = 0;
  bool has_name = true;
  /// Names objects of other places in it or other files, which only a commit keeps from going.
  bool has_copies = false;
  /// Since an operation failed: what it may contain once all its writers are gone. A failed file
  /// may fail again at any operation, but what succeeds is right.
  bool failed = false;
  std::set<std::string> may_contain;

  /// All is committed: nothing else can be found any more. What a file without a name contains is
  /// committed nowhere.
  void commit();
  /// An operation failed; whether it took effect is open.
  void fail();
  /// Of a failed file: whether this can be what it has there.
  bool may_have(std::uint64_t offset, std::uint64_t length, const std::string& bytes) const;
  void write(std::uint64_t offset, const std::string& bytes);
  void resize(std::uint64_t size) { live.resize(size, '\0'); }
  void copy(const std::string& source, std::uint64_t offset, std::uint64_t length,
            std::uint64_t target_offset);
  std::string range(std::uint64_t offset, std::uint64_t length) const;
};

using FilePtr = std::shared_ptr<File>;

/// The names of one directory.
using Names = std::map<std::string, FilePtr>;

}  // namespace model
